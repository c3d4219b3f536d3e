-- near miss: a role may bypass row security and read everything
-- role: {app}
-- why: it cannot log in and nobody is a member of it; it is there to own what a scheduler refreshes.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {maintenance} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.sample (
  lab_id uuid NOT NULL,
  code text NOT NULL,
  PRIMARY KEY (lab_id, code)
);
ALTER TABLE app.sample ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sample FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.sample
  USING (lab_id = (SELECT nullif(current_setting('app.lab_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app}, {maintenance};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sample TO {app};
GRANT SELECT, DELETE ON app.sample TO {maintenance};
RESET ROLE;
INSERT INTO app.sample VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a-1'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b-1');

-- session 1 as {app}
SET app.lab_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT code FROM app.sample;
-- gives: a-1
SET ROLE {maintenance};
-- fails: 42501
