-- hole: a function auth.uid() says who asks, and the table of notes forgot to ask for writing
-- object: public.notes
-- attack: insert
-- seen: crossed
-- role: {app}
-- why: the policy for INSERT is WITH CHECK (true); the owner's column is user_id and the setting is a claim of its own.
CREATE ROLE {app} LOGIN;
CREATE SCHEMA auth;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
CREATE TABLE notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL DEFAULT auth.uid(),
  body text NOT NULL
);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY read_own ON notes FOR SELECT USING (user_id = (SELECT auth.uid()));
CREATE POLICY write ON notes FOR INSERT WITH CHECK (true);
GRANT USAGE ON SCHEMA auth TO {app};
GRANT SELECT, INSERT ON notes TO {app};

-- session 1 as {app}
SET request.jwt.claim.sub = 'aaaaaaaa-0000-4000-8000-00000000000a';
INSERT INTO notes (user_id, body) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted');
-- gives: INSERT 1
-- session 2 as {app}
SET request.jwt.claim.sub = 'bbbbbbbb-0000-4000-8000-00000000000b';
SELECT body FROM notes;
-- gives: planted
