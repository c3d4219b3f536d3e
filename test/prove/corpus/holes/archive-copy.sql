-- hole: old rows are moved to a copy in another schema, and the copy has no row security
-- object: archive.invoice
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: CREATE TABLE … (LIKE … INCLUDING ALL) copies neither policies nor the fact that row security is on.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA billing AUTHORIZATION {owner};
CREATE SCHEMA archive AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE billing.invoice (
  tenant_id uuid NOT NULL,
  number int NOT NULL,
  total bigint NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
ALTER TABLE billing.invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing.invoice FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON billing.invoice
  USING (tenant_id = (SELECT nullif(current_setting('billing.tenant', true), '')::uuid));
CREATE TABLE archive.invoice (LIKE billing.invoice INCLUDING ALL);
GRANT USAGE ON SCHEMA billing, archive TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON billing.invoice, archive.invoice TO {app};
RESET ROLE;
INSERT INTO archive.invoice VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1, 10), ('bbbbbbbb-0000-4000-8000-00000000000b', 1, 20);

-- session 1 as {app}
SET billing.tenant = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT total FROM archive.invoice ORDER BY total;
-- gives: 10; 20
