-- hole: a SECURITY DEFINER function trusts a policy that its owner is not held to
-- object: app.search(text)
-- attack: function, read
-- seen: crossed
-- role: {app}
-- why: the table's owner owns the function, and row security is enabled but not forced.
CREATE ROLE {owner} NOLOGIN;
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
CREATE POLICY own ON app.page
  USING (site_id = (SELECT nullif(current_setting('app.site_id', true), '')::uuid));
CREATE FUNCTION app.search(words text) RETURNS TABLE (title text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT title FROM app.page WHERE title ILIKE '%' || words || '%' $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.page TO {app};
RESET ROLE;
INSERT INTO app.page (site_id, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'plan of a'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'plan of b');

-- session 1 as {app}
SET app.site_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.page;
-- gives: plan of a
SELECT title FROM app.search('plan') ORDER BY title;
-- gives: plan of a; plan of b
