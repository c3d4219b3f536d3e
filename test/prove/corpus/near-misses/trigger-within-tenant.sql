-- near miss: a SECURITY DEFINER trigger changes other rows than the one it fires for
-- role: {app}
-- why: only rows of the same tenant, and whoever fires it has passed the policy's check with that tenant.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {mover} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.playlist (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  rank int NOT NULL DEFAULT 0 CHECK (rank >= 0),
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.playlist ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.playlist FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.playlist USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app}, {mover};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.playlist TO {app};
GRANT SELECT, UPDATE ON app.playlist TO {mover};
RESET ROLE;
CREATE FUNCTION app.make_room() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    UPDATE app.playlist SET rank = rank + 1
    WHERE tenant_id = NEW.tenant_id AND rank >= NEW.rank AND id <> NEW.id;
    RETURN NULL;
  END $$;
ALTER FUNCTION app.make_room() OWNER TO {mover};
REVOKE EXECUTE ON FUNCTION app.make_room() FROM PUBLIC;
CREATE TRIGGER make_room AFTER INSERT ON app.playlist FOR EACH ROW EXECUTE FUNCTION app.make_room();
INSERT INTO app.playlist VALUES (1, 1, 5), (2, 1, 5);

-- session 1 as {app}
SET app.tenant_id = '1';
INSERT INTO app.playlist VALUES (1, 2, 0);
SELECT rank FROM app.playlist ORDER BY rank;
-- gives: 0; 6
-- session 2 as superuser
SELECT rank FROM app.playlist WHERE tenant_id = 2;
-- gives: 5
