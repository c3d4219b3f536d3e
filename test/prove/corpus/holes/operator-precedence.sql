-- hole: AND binds before OR
-- object: app.article
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: drafts pass without a tenant; the brackets around the two states are missing.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.article (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  state text NOT NULL CHECK (state IN ('shown', 'hidden', 'draft', 'open')),
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.article ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.article FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.article USING (state = 'draft' OR state IN ('open', 'shown', 'hidden')
  AND tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.article TO {app};
RESET ROLE;
INSERT INTO app.article (tenant_id, state, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'open', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'draft', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.article ORDER BY title;
-- gives: a; b
