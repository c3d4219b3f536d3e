-- hole: a trigger that keeps ranks in order renumbers every tenant's rows
-- object: app.playlist
-- attack: update, insert, delete
-- seen: crossed
-- role: {app}
-- why: the trigger's function is SECURITY DEFINER of an owner who bypasses, and its UPDATE forgets the tenant.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.playlist (
  tenant_id text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  rank int NOT NULL DEFAULT 0,
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE FUNCTION app.make_room() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    UPDATE app.playlist SET rank = rank + 1 WHERE rank >= NEW.rank AND id <> NEW.id;
    RETURN NULL;
  END $$;
CREATE TRIGGER make_room AFTER INSERT ON app.playlist FOR EACH ROW EXECUTE FUNCTION app.make_room();
ALTER TABLE app.playlist ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.playlist FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.playlist USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.playlist TO {app};
RESET ROLE;
INSERT INTO app.playlist (tenant_id, rank, title) VALUES ('south', 5, 'of south');

-- session 1 as {app}
SET app.tenant_id = 'north';
INSERT INTO app.playlist (tenant_id, rank, title) VALUES ('north', 1, 'of north');
-- gives: INSERT 1
-- session 2 as superuser
SELECT rank FROM app.playlist WHERE tenant_id = 'south';
-- gives: 6
