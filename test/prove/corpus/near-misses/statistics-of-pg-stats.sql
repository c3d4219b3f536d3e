-- near miss: a superuser's view of pg_stats, granted to the application
-- role: {app}
-- why: pg_stats asks row_security_active() and has_column_privilege() of the current user, who is still the caller
--   inside another's view; only raw pg_statistic would be open.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.diagnosis (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  code text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.diagnosis ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.diagnosis FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.diagnosis USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.diagnosis TO {app};
RESET ROLE;
CREATE VIEW app.column_stats WITH (security_barrier) AS
  SELECT tablename, attname, null_frac, most_common_vals::text AS common, histogram_bounds::text AS bounds
  FROM pg_catalog.pg_stats WHERE schemaname = 'app';
GRANT SELECT ON app.column_stats TO {app};
INSERT INTO app.diagnosis (tenant_id, code) SELECT 2, 'rare-' || n % 3 FROM generate_series(1, 30) AS n;

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.column_stats;
-- gives: 0
-- session 2 as superuser
SELECT count(*) FROM app.column_stats WHERE attname = 'code';
-- gives: 1
