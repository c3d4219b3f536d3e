-- hole: the restrictive policy that keeps tenants apart is FOR SELECT
-- object: app.entry
-- attack: insert, move, update, delete
-- seen: crossed
-- role: {app}
-- why: the permissive one is USING (true) for every command; only reading is restricted.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.entry (
  company_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  memo text NOT NULL,
  PRIMARY KEY (company_id, id)
);
ALTER TABLE app.entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.entry FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON app.entry USING (true);
CREATE POLICY within_company ON app.entry AS RESTRICTIVE FOR SELECT
  USING (company_id = (SELECT nullif(current_setting('app.company_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.entry TO {app};
RESET ROLE;
INSERT INTO app.entry (company_id, memo) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.company_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT memo FROM app.entry;
-- gives: a
INSERT INTO app.entry (company_id, memo) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted');
-- gives: INSERT 1
DELETE FROM app.entry;
-- gives: DELETE 3
