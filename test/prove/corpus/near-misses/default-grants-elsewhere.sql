-- near miss: default privileges open every new table to the application
-- role: {app}
-- why: only in the schema of shared lists, where no tenant's row ever lies.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA list AUTHORIZATION {owner};
SET ROLE {owner};
ALTER DEFAULT PRIVILEGES IN SCHEMA list GRANT SELECT ON TABLES TO {app};
CREATE TABLE list.country (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.event (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  kind text NOT NULL,
  PRIMARY KEY (tenant_id, id, kind)
) PARTITION BY LIST (kind);
CREATE TABLE app.event_in PARTITION OF app.event FOR VALUES IN ('in');
ALTER TABLE app.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.event USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app, list TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event TO {app};
RESET ROLE;
INSERT INTO list.country VALUES ('DE', 'Germany');
INSERT INTO app.event VALUES (1, 1, 'in'), (2, 1, 'in');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT name FROM list.country;
-- gives: Germany
SELECT count(*) FROM app.event;
-- gives: 1
SELECT count(*) FROM app.event_in;
-- fails: 42501
