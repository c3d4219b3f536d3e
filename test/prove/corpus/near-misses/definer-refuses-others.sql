-- near miss: a SECURITY DEFINER function takes the tenant as an argument
-- role: {app}
-- why: it refuses every other than the session's, NULL included, and is not PUBLIC's.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {teller} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.wallet (tenant_id bigint NOT NULL, id bigint NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.wallet ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.wallet FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.wallet USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app}, {teller};
GRANT SELECT ON app.wallet TO {app}, {teller};
RESET ROLE;
CREATE FUNCTION app.balance(of_tenant bigint) RETURNS bigint
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    IF of_tenant IS DISTINCT FROM nullif(current_setting('app.tenant_id', true), '')::bigint OR of_tenant IS NULL THEN
      RAISE EXCEPTION 'not your tenant' USING ERRCODE = '42501';
    END IF;
    RETURN (SELECT sum(cents) FROM app.wallet WHERE tenant_id = of_tenant);
  END $$;
ALTER FUNCTION app.balance(bigint) OWNER TO {teller};
REVOKE EXECUTE ON FUNCTION app.balance(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.balance(bigint) TO {app};
INSERT INTO app.wallet VALUES (1, 1, 10), (2, 2, 99);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT app.balance(1);
-- gives: 10
SELECT app.balance(2);
-- fails: 42501
SELECT app.balance(NULL);
-- fails: 42501
