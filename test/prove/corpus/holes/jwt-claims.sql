-- hole: the owner comes from a JSON setting, and one table was left open
-- object: public.invoices
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {authenticated}, {web}
-- why: current_setting('request.jwt.claims') holds the whole token; the policies take one claim of it. The login becomes
--   the role authenticated for each request.
CREATE ROLE {authenticated} NOLOGIN;
CREATE ROLE {web} LOGIN NOINHERIT;
GRANT {authenticated} TO {web};
CREATE TABLE customers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL,
  name text NOT NULL
);
CREATE TABLE invoices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL,
  total numeric(12, 2) NOT NULL
);
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE customers FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON customers TO {authenticated}
  USING (tenant_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, invoices TO {authenticated};
INSERT INTO customers (tenant_id, name) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');
INSERT INTO invoices (tenant_id, total) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 2);

-- session 1 as {web}
SET request.jwt.claims = '{"tenant_id": "aaaaaaaa-0000-4000-8000-00000000000a", "role": "authenticated"}';
SET ROLE {authenticated};
SELECT name FROM customers;
-- gives: a
SELECT total FROM invoices ORDER BY total;
-- gives: 1.00; 2.00
