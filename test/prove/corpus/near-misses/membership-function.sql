-- near miss: whose a row is, is looked up in a table by a SECURITY DEFINER function
-- role: {app}
-- why: the function's search_path is fixed, it takes no argument, and the membership table shows a user his own rows
--   and takes none.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.member (
  user_id uuid NOT NULL,
  org_id uuid NOT NULL,
  PRIMARY KEY (user_id, org_id)
);
CREATE FUNCTION app.my_orgs() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT org_id FROM app.member
    WHERE user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)
  $$;
REVOKE EXECUTE ON FUNCTION app.my_orgs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.my_orgs() TO {app};
CREATE TABLE app.board (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  PRIMARY KEY (org_id, id)
);
ALTER TABLE app.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.member FORCE ROW LEVEL SECURITY;
ALTER TABLE app.board ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.board FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.member FOR SELECT
  USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
CREATE POLICY of_my_orgs ON app.board USING (org_id IN (SELECT app.my_orgs()));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.member TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.board TO {app};
RESET ROLE;
INSERT INTO app.member VALUES
  ('11111111-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a'),
  ('22222222-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-00000000000b');
INSERT INTO app.board (org_id, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.user_id = '11111111-0000-4000-8000-000000000001';
SELECT title FROM app.board;
-- gives: a
INSERT INTO app.member VALUES
  ('11111111-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-00000000000b');
-- fails: 42501
INSERT INTO app.board (org_id, title) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted');
-- fails: 42501
