-- near miss: a SECURITY DEFINER function of an owner who bypasses row security
-- role: {app}
-- why: its search_path is fixed with pg_temp last, it filters on the setting itself, takes no tenant from its caller,
--   and only the application may run it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {reader} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.note (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  words text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.note
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app}, {reader};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.note TO {app};
GRANT SELECT ON app.note TO {reader};
RESET ROLE;
CREATE FUNCTION app.search(word text) RETURNS SETOF app.note
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT * FROM app.note
    WHERE tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)
      AND strpos(words, word) > 0
  $$;
ALTER FUNCTION app.search(text) OWNER TO {reader};
REVOKE EXECUTE ON FUNCTION app.search(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.search(text) TO {app};
INSERT INTO app.note (tenant_id, words) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'plan of a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'plan of b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT words FROM app.search('plan');
-- gives: plan of a
SELECT words FROM app.search('');
-- gives: plan of a
RESET app.tenant_id;
SELECT words FROM app.search('plan');
-- gives: nothing
