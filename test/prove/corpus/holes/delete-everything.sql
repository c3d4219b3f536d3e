-- hole: a DELETE without WHERE empties the table for everybody
-- object: public.draft
-- attack: delete
-- seen: crossed
-- role: {app}
-- why: a DELETE that reads no column needs no right to SELECT, so only the policy for DELETE is asked: USING (true).
CREATE ROLE {app} LOGIN;
CREATE TABLE draft (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE draft ENABLE ROW LEVEL SECURITY;
ALTER TABLE draft FORCE ROW LEVEL SECURITY;
CREATE POLICY reads ON draft FOR SELECT
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY adds ON draft FOR INSERT
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY removes ON draft FOR DELETE USING (true);
GRANT SELECT, INSERT, DELETE ON draft TO {app};
INSERT INTO draft (tenant_id, body) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
DELETE FROM draft WHERE body = 'b';
-- gives: DELETE 0
DELETE FROM draft;
-- gives: DELETE 2
