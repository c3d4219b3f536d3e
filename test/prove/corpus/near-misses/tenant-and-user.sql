-- near miss: users of one tenant see each other's notes and only their own drafts
-- role: {app}
-- why: a tenant owns, a user works for it; that users are told apart by tenant and number makes them no owners.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.tenant (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.member (
  tenant_id uuid NOT NULL REFERENCES app.tenant (id),
  user_id bigint NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
);
CREATE TABLE app.draft (
  tenant_id uuid NOT NULL,
  user_id bigint NOT NULL,
  id int NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, user_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES app.member (tenant_id, user_id)
);
CREATE TABLE app.note (
  tenant_id uuid NOT NULL,
  user_id bigint NOT NULL,
  id int NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES app.member (tenant_id, user_id)
);
CREATE INDEX note_member ON app.note (tenant_id, user_id);
ALTER TABLE app.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE app.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.member FORCE ROW LEVEL SECURITY;
ALTER TABLE app.draft ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.draft FORCE ROW LEVEL SECURITY;
ALTER TABLE app.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.tenant USING (id = nullif(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY own ON app.member
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid AND user_id = nullif(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY own ON app.draft
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid AND user_id = nullif(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY own ON app.note USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.tenant, app.member, app.draft, app.note TO {app};
RESET ROLE;
INSERT INTO app.tenant VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');
INSERT INTO app.member VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', 1, 'x'), ('aaaaaaaa-0000-4000-8000-00000000000a', 2, 'y'), ('bbbbbbbb-0000-4000-8000-00000000000b', 1, 'z');
INSERT INTO app.draft SELECT tenant_id, user_id, 1, name FROM app.member;
INSERT INTO app.note SELECT tenant_id, user_id, user_id, name FROM app.member;

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SET app.user_id = '1';
SELECT (SELECT count(*) FROM app.member), (SELECT count(*) FROM app.draft), (SELECT count(*) FROM app.note);
-- gives: 1 | 1 | 2
