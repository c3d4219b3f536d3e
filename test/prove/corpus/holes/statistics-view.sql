-- hole: a view of the planner's raw statistics shows other tenants' most common values
-- object: app.column_stats
-- attack: read, statistics
-- seen: crossed
-- role: {app}
-- why: pg_stats hides a table under row security from those it filters; a superuser's view of pg_statistic hides
--   nothing.
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
CREATE VIEW app.column_stats AS
  SELECT s.starelid::regclass::text AS "table", a.attname AS "column", s.stanullfrac AS nulls,
    s.stavalues1::text AS common, s.stavalues2::text AS bounds
  FROM pg_statistic s JOIN pg_attribute a ON (a.attrelid, a.attnum) = (s.starelid, s.staattnum)
  WHERE s.starelid >= 16384;
GRANT SELECT ON app.column_stats TO {app};
INSERT INTO app.diagnosis (tenant_id, code) SELECT 2, 'rare-' || n % 3 FROM generate_series(1, 30) AS n;

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.diagnosis;
-- gives: 0
SELECT common LIKE '%rare-%' FROM app.column_stats WHERE "column" = 'code';
-- gives: t
