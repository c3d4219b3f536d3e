-- hole: a policy that asks whether the comparison is not false
-- object: app.badge
-- attack: unset, empty
-- seen: crossed
-- role: {app}
-- why: NULL IS NOT FALSE is true, and the comparison with an unset setting is NULL.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.badge (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  holder text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.badge ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.badge FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.badge
  USING ((tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid) IS NOT FALSE);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.badge TO {app};
RESET ROLE;
INSERT INTO app.badge (tenant_id, holder) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SELECT holder FROM app.badge ORDER BY holder;
-- gives: a; b
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT holder FROM app.badge;
-- gives: a
