-- hole: a SECURITY DEFINER function believes the tenant that its caller names
-- object: app.balance(bigint)
-- attack: function, read
-- seen: crossed
-- role: {app}
-- why: the filter is on the argument; nothing ties the argument to the session's setting.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.wallet (tenant_id bigint NOT NULL, id bigint NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.wallet ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.wallet FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.wallet USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE FUNCTION app.balance(of_tenant bigint) RETURNS SETOF app.wallet
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM app.wallet WHERE tenant_id = of_tenant';
REVOKE EXECUTE ON FUNCTION app.balance(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.balance(bigint) TO {app};
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.wallet TO {app};
RESET ROLE;
INSERT INTO app.wallet VALUES (1, 1, 10), (2, 2, 99);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT cents FROM app.balance(2);
-- gives: 99
