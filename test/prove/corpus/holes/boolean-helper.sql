-- hole: the policies ask a helper that says yes or no, and one of the two tables asks it for the wrong column
-- object: app.refund
-- attack: read, update, delete, insert
-- seen: crossed
-- role: {app}
-- why: app.mine(tenant) compares its argument with the setting; the refund's policy hands it the setting itself.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE FUNCTION app.mine(tenant bigint) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$ BEGIN RETURN tenant = nullif(current_setting('app.tenant_id', true), '')::bigint; END $$;
CREATE TABLE app.payment (tenant_id bigint NOT NULL, id bigint NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE app.refund (tenant_id bigint NOT NULL, id bigint NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.payment FORCE ROW LEVEL SECURITY;
ALTER TABLE app.refund ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.refund FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.payment USING (app.mine(tenant_id));
CREATE POLICY own ON app.refund USING (app.mine(nullif(current_setting('app.tenant_id', true), '')::bigint));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.payment, app.refund TO {app};
RESET ROLE;
INSERT INTO app.payment VALUES (1, 1, 10), (2, 1, 20);
INSERT INTO app.refund VALUES (1, 1, 10), (2, 1, 20);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT cents FROM app.payment;
-- gives: 10
SELECT cents FROM app.refund ORDER BY cents;
-- gives: 10; 20
