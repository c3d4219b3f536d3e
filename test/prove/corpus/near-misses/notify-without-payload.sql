-- near miss: every change is announced to whoever listens
-- role: {app}
-- why: the announcement says which table changed and nothing of the row.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.quote (
  tenant_id text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE FUNCTION app.announce() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  AS $$ BEGIN PERFORM pg_notify('changes', TG_TABLE_NAME); RETURN NULL; END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE ON app.quote FOR EACH STATEMENT EXECUTE FUNCTION app.announce();
ALTER TABLE app.quote ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.quote FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.quote USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.quote TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'north';
LISTEN changes;
-- gives: LISTEN
-- session 2 as {app}
SET app.tenant_id = 'south';
INSERT INTO app.quote (tenant_id, body) VALUES ('south', 'our price');
-- gives: INSERT 1
-- session 1
SELECT 1;
-- hears: changes: quote
