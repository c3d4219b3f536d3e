-- hole: a view that obeys its caller is fed by a function that does not
-- object: app.contacts, app.all_contacts()
-- attack: read, function
-- seen: crossed
-- role: {app}
-- why: security_invoker is about tables; the set-returning function inside runs as its owner, who bypasses policies.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.contact (
  tenant_id uuid NOT NULL,
  email text NOT NULL,
  PRIMARY KEY (tenant_id, email)
);
ALTER TABLE app.contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.contact FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.contact
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE FUNCTION app.all_contacts() RETURNS TABLE (tenant_id uuid, email text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
  AS 'SELECT tenant_id, email FROM app.contact';
CREATE VIEW app.contacts WITH (security_invoker) AS SELECT * FROM app.all_contacts();
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.contact, app.contacts TO {app};
RESET ROLE;
INSERT INTO app.contact VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b@b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT email FROM app.contact;
-- gives: a@a
SELECT email FROM app.contacts ORDER BY email;
-- gives: a@a; b@b
