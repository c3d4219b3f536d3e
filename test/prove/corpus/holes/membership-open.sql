-- hole: anybody may write himself into another organisation
-- object: public.organization_member
-- also: public.board
-- attack: insert, read, update, delete, move
-- seen: crossed
-- role: {app}
-- why: the boards' policy asks the membership table, and that one has no row security.
CREATE ROLE {app} LOGIN;
CREATE TABLE organization (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL
);
CREATE TABLE organization_member (
  organization_id uuid NOT NULL REFERENCES organization (id),
  user_id uuid NOT NULL,
  role text NOT NULL DEFAULT 'member',
  PRIMARY KEY (organization_id, user_id)
);
CREATE TABLE board (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organization (id),
  title text NOT NULL
);
ALTER TABLE organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization FORCE ROW LEVEL SECURITY;
ALTER TABLE board ENABLE ROW LEVEL SECURITY;
ALTER TABLE board FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON organization USING (EXISTS (
  SELECT 1 FROM organization_member m
  WHERE m.organization_id = organization.id AND m.user_id = nullif(current_setting('app.user_id', true), '')::uuid));
CREATE POLICY own ON board USING (EXISTS (
  SELECT 1 FROM organization_member m
  WHERE m.organization_id = board.organization_id
    AND m.user_id = nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT ON organization TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON organization_member, board TO {app};
INSERT INTO organization VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'A'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'B');
INSERT INTO organization_member VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '11111111-0000-4000-8000-000000000001', 'owner'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '22222222-0000-4000-8000-000000000002', 'owner');
INSERT INTO board (organization_id, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.user_id = '11111111-0000-4000-8000-000000000001';
SELECT title FROM board;
-- gives: a
INSERT INTO organization_member VALUES
  ('bbbbbbbb-0000-4000-8000-00000000000b', '11111111-0000-4000-8000-000000000001', 'owner');
SELECT title FROM board ORDER BY title;
-- gives: a; b
