-- near miss: the policies ask a helper that says yes or no
-- role: {app}
-- why: it compares the row's column with the setting, is STABLE, and unset or '' is nobody.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE FUNCTION app.mine(tenant bigint) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT tenant = nullif(current_setting('app.tenant_id', true), '')::bigint $$;
CREATE TABLE app.payment (tenant_id bigint NOT NULL, id bigint NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.payment FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.payment USING (app.mine(tenant_id));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.payment TO {app};
RESET ROLE;
INSERT INTO app.payment VALUES (1, 1, 10), (2, 1, 20);

-- session 1 as {app}
SELECT count(*) FROM app.payment;
-- gives: 0
SET app.tenant_id = '1';
SELECT cents FROM app.payment;
-- gives: 10
