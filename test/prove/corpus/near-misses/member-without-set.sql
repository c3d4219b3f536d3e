-- near miss: the application's login is a member of a role that bypasses row security
-- role: {app}
-- from: 16
-- why: WITH INHERIT FALSE, SET FALSE gives neither its rights nor the way into it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {maintenance} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
GRANT {maintenance} TO {app} WITH INHERIT FALSE, SET FALSE;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.sample (
  lab_id bigint NOT NULL,
  code text NOT NULL,
  PRIMARY KEY (lab_id, code)
);
ALTER TABLE app.sample ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sample FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.sample USING (lab_id = nullif(current_setting('app.lab_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app}, {maintenance};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sample TO {app};
GRANT SELECT ON app.sample TO {maintenance};
RESET ROLE;
INSERT INTO app.sample VALUES (1, 'a-1'), (2, 'b-1');

-- session 1 as {app}
SET app.lab_id = '1';
SELECT code FROM app.sample;
-- gives: a-1
SET ROLE {maintenance};
-- fails: 42501
