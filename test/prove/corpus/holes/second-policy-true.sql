-- hole: a second permissive policy for a forgotten test lets every row through
-- object: ledger.entry
-- attack: read, update, delete, insert, move
-- seen: crossed
-- role: {app}
-- why: permissive policies are joined with OR, and one without TO is for PUBLIC.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA ledger AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE ledger.entry (
  company_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  memo text NOT NULL,
  PRIMARY KEY (company_id, id)
);
ALTER TABLE ledger.entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.entry FORCE ROW LEVEL SECURITY;
CREATE POLICY company ON ledger.entry TO {app}
  USING (company_id = (SELECT nullif(current_setting('ledger.company', true), '')::uuid));
CREATE POLICY smoke_test ON ledger.entry USING (true);
GRANT USAGE ON SCHEMA ledger TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.entry TO {app};
RESET ROLE;
INSERT INTO ledger.entry (company_id, memo) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET ledger.company = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT memo FROM ledger.entry ORDER BY memo;
-- gives: a; b
