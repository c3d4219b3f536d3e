-- near miss: a view of an owner who bypasses row security, over a materialised view of every tenant's sums
-- role: {app}
-- why: it is a security barrier, filters on the setting, shows nothing without one, and nothing below it is granted.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {refresher} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
GRANT USAGE, CREATE ON SCHEMA app TO {refresher};
SET ROLE {owner};
CREATE TABLE app.sale (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  family text NOT NULL,
  cents bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.sale ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sale FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.sale
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT ON app.sale TO {refresher};
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sale TO {app};
RESET ROLE;
INSERT INTO app.sale (tenant_id, family, cents) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'steel', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 'steel', 2);
SET ROLE {refresher};
CREATE MATERIALIZED VIEW app.all_totals AS
  SELECT tenant_id, family, sum(cents) AS cents FROM app.sale GROUP BY tenant_id, family;
CREATE UNIQUE INDEX all_totals_key ON app.all_totals (tenant_id, family);
CREATE VIEW app.totals WITH (security_barrier) AS
  SELECT tenant_id, family, cents FROM app.all_totals
  WHERE tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid);
GRANT SELECT ON app.totals TO {app};
RESET ROLE;
REVOKE CREATE ON SCHEMA app FROM {refresher};

-- session 1 as {app}
SELECT count(*) FROM app.totals;
-- gives: 0
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT cents FROM app.totals;
-- gives: 1
SELECT cents FROM app.all_totals;
-- fails: 42501
CREATE TEMP TABLE seen (cents text);
CREATE FUNCTION pg_temp.peek(cents numeric) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
  AS $$ BEGIN INSERT INTO pg_temp.seen VALUES (cents); RETURN true; END $$;
SELECT count(*) FROM app.totals WHERE pg_temp.peek(cents);
SELECT cents FROM pg_temp.seen;
-- gives: 1
