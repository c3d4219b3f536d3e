-- hole: scans are kept as large objects, which every session of the login may read
-- object: app.scan
-- attack: large object
-- seen: told
-- role: {app}
-- why: a large object belongs to the login, and there is one login for all tenants; no policy stands before it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.scan (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  content oid NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.scan ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.scan FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.scan USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, DELETE ON app.scan TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = '2';
INSERT INTO app.scan (tenant_id, content) VALUES (2, lo_from_bytea(0, 'passport'));
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.scan;
-- gives: 0
SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata;
-- gives: passport
