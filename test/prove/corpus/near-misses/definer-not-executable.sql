-- near miss: a SECURITY DEFINER function that gives every tenant's rows
-- role: {app}
-- why: EXECUTE was taken from PUBLIC and given to nobody but a role without login or members.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {exporter} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.person (
  tenant_id bigint NOT NULL,
  person text NOT NULL,
  PRIMARY KEY (tenant_id, person)
);
ALTER TABLE app.person ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.person FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.person USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE FUNCTION app.everybody() RETURNS SETOF app.person
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM app.person';
REVOKE EXECUTE ON FUNCTION app.everybody() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.everybody() TO {exporter};
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.person TO {app};
RESET ROLE;
INSERT INTO app.person VALUES (1, 'a@a'), (2, 'b@b');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT person FROM app.person;
-- gives: a@a
SELECT person FROM app.everybody();
-- fails: 42501
