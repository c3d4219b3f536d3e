-- hole: a SECURITY DEFINER function gives every tenant's rows as one JSON text
-- object: app.export()
-- attack: function
-- seen: crossed
-- role: {app}
-- why: no column of the result says whose it is; the values are all in it.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.recipe (tenant_id uuid NOT NULL, title text NOT NULL, steps jsonb NOT NULL, PRIMARY KEY (tenant_id, title));
ALTER TABLE app.recipe ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.recipe FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.recipe
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE FUNCTION app.export() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT json_agg(r.title ORDER BY r.title)::text FROM app.recipe AS r';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.recipe TO {app};
RESET ROLE;
INSERT INTO app.recipe VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'Apple', '[]'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'Bread', '[]');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT app.export();
-- gives: ["Apple", "Bread"]
