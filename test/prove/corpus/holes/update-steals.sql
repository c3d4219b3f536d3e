-- hole: an UPDATE without WHERE takes over every tenant's rows
-- object: public.note
-- attack: update, move
-- seen: crossed
-- role: {app}
-- why: the policy for SELECT filters, but an UPDATE that reads no column is held against the policy for UPDATE
--   alone: USING (true), and its check is met by writing one's own tenant into the row.
CREATE ROLE {app} LOGIN;
CREATE TABLE note (
  tenant bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  body text NOT NULL,
  PRIMARY KEY (id, tenant)
);
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note FORCE ROW LEVEL SECURITY;
CREATE POLICY reads ON note FOR SELECT USING (tenant = nullif(current_setting('app.tenant', true), '')::bigint);
CREATE POLICY adds ON note FOR INSERT WITH CHECK (tenant = nullif(current_setting('app.tenant', true), '')::bigint);
CREATE POLICY changes ON note FOR UPDATE USING (true)
  WITH CHECK (tenant = nullif(current_setting('app.tenant', true), '')::bigint);
GRANT SELECT, INSERT, UPDATE ON note TO {app};
INSERT INTO note (tenant, body) VALUES (1, 'one'), (2, 'two');

-- session 1 as {app}
SET app.tenant = '1';
UPDATE note SET body = 'x' WHERE id = 2;
-- gives: UPDATE 0
UPDATE note SET tenant = 1;
-- gives: UPDATE 2
SELECT body FROM note ORDER BY id;
-- gives: one; two
