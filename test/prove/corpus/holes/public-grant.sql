-- hole: an unprotected table is granted to nobody by name, only to PUBLIC
-- object: app.outbox
-- attack: read
-- seen: crossed
-- role: {app}
-- why: the application's role holds what PUBLIC holds.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.mail (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  subject text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.outbox (
  tenant_id uuid NOT NULL,
  mail_id uuid NOT NULL,
  recipient text NOT NULL,
  PRIMARY KEY (tenant_id, mail_id, recipient),
  FOREIGN KEY (tenant_id, mail_id) REFERENCES app.mail (tenant_id, id)
);
ALTER TABLE app.mail ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.mail FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.mail
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.mail TO {app};
GRANT SELECT ON app.outbox TO PUBLIC;
RESET ROLE;
INSERT INTO app.mail VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '11111111-0000-4000-8000-000000000001', 'a'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '22222222-0000-4000-8000-000000000002', 'b');
INSERT INTO app.outbox VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '11111111-0000-4000-8000-000000000001', 'to a'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '22222222-0000-4000-8000-000000000002', 'to b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT recipient FROM app.outbox ORDER BY recipient;
-- gives: to a; to b
