-- hole: a child table without a column for the tenant belongs to one all the same, and is open
-- object: public.attachment
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: whose an attachment is, is said by the message it hangs on; nobody thought of a policy for it.
CREATE ROLE {app} LOGIN;
CREATE TABLE message (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL,
  body text NOT NULL
);
CREATE TABLE attachment (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  message_id uuid NOT NULL REFERENCES message (id) ON DELETE CASCADE,
  file_name text NOT NULL
);
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE message FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON message
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON message, attachment TO {app};
INSERT INTO message VALUES
  ('11111111-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a', 'a'),
  ('22222222-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-00000000000b', 'b');
INSERT INTO attachment (message_id, file_name) VALUES
  ('11111111-0000-4000-8000-000000000001', 'a.pdf'), ('22222222-0000-4000-8000-000000000002', 'b.pdf');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT body FROM message;
-- gives: a
SELECT file_name FROM attachment ORDER BY file_name;
-- gives: a.pdf; b.pdf
