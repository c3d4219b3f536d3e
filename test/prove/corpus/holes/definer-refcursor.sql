-- hole: a SECURITY DEFINER function opens a cursor over every tenant's rows and gives its name
-- object: app.open_report()
-- attack: function
-- seen: crossed
-- role: {app}
-- why: the cursor runs with the rights it was opened with; FETCH needs none.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.report (tenant_id text NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, body));
ALTER TABLE app.report ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.report FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.report USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE FUNCTION app.open_report() RETURNS refcursor
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  DECLARE report refcursor := 'report';
  BEGIN
    OPEN report FOR SELECT body FROM app.report ORDER BY body;
    RETURN report;
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.report TO {app};
RESET ROLE;
INSERT INTO app.report VALUES ('north', 'n'), ('south', 's');

-- session 1 as {app}
SET app.tenant_id = 'north';
BEGIN;
SELECT app.open_report();
-- gives: report
FETCH ALL FROM report;
-- gives: n; s
