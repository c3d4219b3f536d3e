-- near miss: a SECURITY DEFINER function without any filter
-- role: {app}
-- why: its owner is a plain role that row security binds like the caller: the policy filters inside, too.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {teller} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.page (
  site_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  PRIMARY KEY (site_id, id)
);
ALTER TABLE app.page ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.page FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.page
  USING (site_id = (SELECT nullif(current_setting('app.site_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app}, {teller};
GRANT SELECT ON app.page TO {teller};
RESET ROLE;
CREATE FUNCTION app.titles() RETURNS TABLE (title text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT title FROM app.page';
ALTER FUNCTION app.titles() OWNER TO {teller};
REVOKE EXECUTE ON FUNCTION app.titles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.titles() TO {app};
INSERT INTO app.page (site_id, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.site_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.titles();
-- gives: a
