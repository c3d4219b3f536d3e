-- hole: the application's login may bypass row security
-- object: app.sample, {app}
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: BYPASSRLS was given for a migration and stayed.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN BYPASSRLS;
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
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sample TO {app};
RESET ROLE;
INSERT INTO app.sample VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a-1'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b-1');

-- session 1 as {app}
SET app.lab_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT code FROM app.sample ORDER BY code;
-- gives: a-1; b-1
