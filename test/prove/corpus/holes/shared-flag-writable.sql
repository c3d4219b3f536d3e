-- hole: rows that one tenant shows to all can be rewritten and planted by all
-- object: app.template
-- attack: update, insert, delete, move
-- seen: crossed
-- role: {app}
-- why: OR is_public was meant for reading, but a FOR ALL policy's USING is also its check.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.template (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  body text NOT NULL,
  is_public boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.template ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.template FORCE ROW LEVEL SECURITY;
CREATE POLICY own_or_public ON app.template
  USING (is_public OR tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.template TO {app};
RESET ROLE;
INSERT INTO app.template (tenant_id, body, is_public) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a', false),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'b hidden', false),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'b shown', true);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT body FROM app.template ORDER BY body;
-- gives: a; b shown
UPDATE app.template SET body = 'defaced' WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
-- gives: UPDATE 1
INSERT INTO app.template (tenant_id, body, is_public)
  VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted', true);
-- gives: INSERT 1
