-- hole: a foreign table with every tenant's rows is granted to the application
-- object: app.legacy_customer
-- attack: read
-- seen: crossed
-- role: {app}
-- why: row security cannot be put on a foreign table; what the other side sends is what the role sees.
CREATE EXTENSION file_fdw;
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SERVER legacy FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE app.legacy_customer (tenant_id text NOT NULL, name text NOT NULL)
  SERVER legacy OPTIONS (program 'printf "north,n\nsouth,s\n"', format 'csv');
GRANT SELECT ON app.legacy_customer TO {app};
SET ROLE {owner};
CREATE TABLE app.customer (tenant_id text NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, name));
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customer USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.customer TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT name FROM app.legacy_customer ORDER BY name;
-- gives: n; s
