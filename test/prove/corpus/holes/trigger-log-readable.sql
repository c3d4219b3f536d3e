-- hole: every change is copied as JSON into a log that everybody reads
-- object: app.change_log
-- attack: read
-- seen: crossed
-- role: {app}
-- why: the log has no column for the tenant, so it looks like a table of nobody's rows.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.offer (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  text text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.change_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  row_after jsonb NOT NULL
);
CREATE FUNCTION app.log_change() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ BEGIN INSERT INTO app.change_log (row_after) VALUES (to_jsonb(NEW)); RETURN NULL; END $$;
CREATE TRIGGER log AFTER INSERT OR UPDATE ON app.offer FOR EACH ROW EXECUTE FUNCTION app.log_change();
ALTER TABLE app.offer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.offer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.offer
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.offer TO {app};
GRANT SELECT ON app.change_log TO {app};
RESET ROLE;
INSERT INTO app.offer (tenant_id, text) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'of a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'of b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT text FROM app.offer;
-- gives: of a
SELECT row_after ->> 'text' FROM app.change_log ORDER BY id;
-- gives: of a; of b
