-- hole: a SECURITY DEFINER function gives the title of whatever document it is asked for
-- object: app.title_of(uuid)
-- attack: function
-- seen: crossed
-- role: {app}
-- why: its argument is a row's key and not a tenant; nothing asks whose row it is.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.document (
  tenant_id bigint NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.document ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.document FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.document USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE FUNCTION app.title_of(wanted uuid) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT title FROM app.document WHERE id = wanted';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.document TO {app};
RESET ROLE;
INSERT INTO app.document VALUES
  (1, '11111111-0000-4000-8000-000000000001', 'mine'), (2, '22222222-0000-4000-8000-000000000002', 'theirs');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT app.title_of('22222222-0000-4000-8000-000000000002');
-- gives: theirs
