-- near miss: a policy with OR, and a restrictive one beside it
-- role: {app}
-- why: the restrictive one asks for the tenant at every command, whatever the states say.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.article (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  state text NOT NULL CHECK (state IN ('draft', 'open', 'shown')),
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.article ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.article FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON app.article AS RESTRICTIVE
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY shown ON app.article USING (state = 'shown' OR state = 'open' OR state = 'draft');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.article TO {app};
RESET ROLE;
INSERT INTO app.article (tenant_id, state, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'draft', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'shown', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.article;
-- gives: a
