-- hole: the helper that reads the setting is declared IMMUTABLE
-- object: app.letter, app.tenant()
-- attack: prepared
-- seen: crossed
-- role: {app}
-- why: its value is folded into the plan: a prepared statement on a pooled connection keeps the first tenant for good.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE FUNCTION app.tenant() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;
CREATE TABLE app.letter (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.letter USING (tenant_id = app.tenant());
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.letter TO {app};
RESET ROLE;
INSERT INTO app.letter (tenant_id, body) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
PREPARE letters AS SELECT body FROM app.letter;
EXECUTE letters;
-- gives: a
SET app.tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
EXECUTE letters;
-- gives: a
