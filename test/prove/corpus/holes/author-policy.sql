-- hole: a policy for authors lets a user write into a tenant that is not his
-- object: app.post
-- attack: insert, move
-- seen: crossed
-- role: {app}
-- why: two settings, two permissive policies, joined with OR: who names himself the author passes with any tenant.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.post (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  author_id uuid NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.reaction (
  tenant_id bigint NOT NULL,
  post_id bigint NOT NULL,
  user_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, post_id, user_id),
  FOREIGN KEY (tenant_id, post_id) REFERENCES app.post (tenant_id, id)
);
ALTER TABLE app.post ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.post FORCE ROW LEVEL SECURITY;
ALTER TABLE app.reaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.reaction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON app.post USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE POLICY author ON app.post USING (author_id = nullif(current_setting('app.user_id', true), '')::uuid);
CREATE POLICY tenant ON app.reaction USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.post, app.reaction TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = '1';
SET app.user_id = '11111111-0000-4000-8000-000000000001';
INSERT INTO app.post (tenant_id, author_id, body) VALUES (2, '11111111-0000-4000-8000-000000000001', 'planted');
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = '2';
SELECT body FROM app.post;
-- gives: planted
