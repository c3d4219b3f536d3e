-- hole: a SECURITY DEFINER function gives nothing, but leaves a cursor over every tenant's rows open
-- object: app.check_reports()
-- attack: function
-- seen: crossed
-- role: {app}
-- why: a cursor stays open to the end of the transaction unless it is closed; pg_cursors says its name.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.report (tenant_id text NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, body));
ALTER TABLE app.report ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.report FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.report USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE FUNCTION app.check_reports() RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  DECLARE every CURSOR FOR SELECT body FROM app.report ORDER BY body;
  BEGIN
    OPEN every;
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.report TO {app};
RESET ROLE;
INSERT INTO app.report VALUES ('north', 'n'), ('south', 's');

-- session 1 as {app}
SET app.tenant_id = 'north';
BEGIN;
SELECT count(*) FROM (SELECT app.check_reports()) called;
-- gives: 1
SELECT count(*) FROM pg_cursors WHERE name <> '';
-- gives: 1
