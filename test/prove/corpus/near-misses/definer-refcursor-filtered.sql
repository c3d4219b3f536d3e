-- near miss: a SECURITY DEFINER function opens a cursor over the session's own rows
-- role: {app}
-- why: it filters on the setting itself: what is fetched is filtered, whoever fetches it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {reader} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.report (tenant_id text NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, body));
ALTER TABLE app.report ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.report FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.report USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app}, {reader};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.report TO {app};
GRANT SELECT ON app.report TO {reader};
RESET ROLE;
CREATE FUNCTION app.open_report() RETURNS refcursor
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  DECLARE report refcursor := 'report';
  BEGIN
    OPEN report FOR SELECT body FROM app.report
      WHERE tenant_id = nullif(current_setting('app.tenant_id', true), '') ORDER BY body;
    RETURN report;
  END $$;
ALTER FUNCTION app.open_report() OWNER TO {reader};
REVOKE EXECUTE ON FUNCTION app.open_report() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.open_report() TO {app};
INSERT INTO app.report VALUES ('north', 'n'), ('south', 's');

-- session 1 as {app}
SET app.tenant_id = 'north';
BEGIN;
SELECT app.open_report();
-- gives: report
FETCH ALL FROM report;
-- gives: n
