-- near miss: the owner comes from a JSON setting
-- role: {web}
-- why: both tables ask for the claim; without a token there is none, and nothing is shown.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {authenticated} NOLOGIN;
CREATE ROLE {web} LOGIN NOINHERIT;
GRANT {authenticated} TO {web};
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.customer (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON app.customer TO {authenticated}
  USING (tenant_id = (SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'tenant_id')::uuid));
GRANT USAGE ON SCHEMA app TO {authenticated};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customer TO {authenticated};
RESET ROLE;
INSERT INTO app.customer (tenant_id, name) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {web}
SET ROLE {authenticated};
SELECT count(*) FROM app.customer;
-- gives: 0
SET request.jwt.claims = '{"tenant_id": "aaaaaaaa-0000-4000-8000-00000000000a"}';
SELECT name FROM app.customer;
-- gives: a
