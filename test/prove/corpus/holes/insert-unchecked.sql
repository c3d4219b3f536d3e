-- hole: reading and changing are filtered, inserting is not
-- object: crm.lead
-- attack: insert
-- seen: crossed
-- role: {app}
-- why: each command has a policy of its own, and the one for INSERT checks nothing.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA crm AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE crm.lead (
  org uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  email text NOT NULL,
  PRIMARY KEY (org, id)
);
ALTER TABLE crm.lead ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.lead FORCE ROW LEVEL SECURITY;
CREATE POLICY reads ON crm.lead FOR SELECT
  USING (org = (SELECT nullif(current_setting('crm.org', true), '')::uuid));
CREATE POLICY writes ON crm.lead FOR UPDATE
  USING (org = (SELECT nullif(current_setting('crm.org', true), '')::uuid));
CREATE POLICY removes ON crm.lead FOR DELETE
  USING (org = (SELECT nullif(current_setting('crm.org', true), '')::uuid));
CREATE POLICY adds ON crm.lead FOR INSERT WITH CHECK (email <> '');
GRANT USAGE ON SCHEMA crm TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.lead TO {app};
RESET ROLE;
INSERT INTO crm.lead (org, email) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b@b');

-- session 1 as {app}
SET crm.org = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT email FROM crm.lead;
-- gives: a@a
INSERT INTO crm.lead (org, email) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'spam@a');
-- gives: INSERT 1
-- session 2 as {app}
SET crm.org = 'bbbbbbbb-0000-4000-8000-00000000000b';
SELECT email FROM crm.lead ORDER BY email;
-- gives: b@b; spam@a
