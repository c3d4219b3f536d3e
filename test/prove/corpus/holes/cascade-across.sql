-- hole: deleting one's own row deletes another tenant's
-- object: app.comment
-- also: app.topic
-- attack: reference, delete
-- seen: crossed
-- role: {app}
-- why: the key is on the topic's id alone and cascades; the rows it takes are deleted without asking their policy.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.topic (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL,
  title text NOT NULL
);
CREATE TABLE app.comment (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  topic_id uuid NOT NULL REFERENCES app.topic (id) ON DELETE CASCADE,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.topic ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.topic FORCE ROW LEVEL SECURITY;
ALTER TABLE app.comment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.comment FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.topic
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.comment
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.topic, app.comment TO {app};
RESET ROLE;
INSERT INTO app.topic VALUES
  ('11111111-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a', 'of a');

-- session 1 as {app}
SET app.tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
INSERT INTO app.comment (tenant_id, topic_id, body)
  VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', '11111111-0000-4000-8000-000000000001', 'of b');
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM app.comment;
-- gives: 0
DELETE FROM app.topic;
-- gives: DELETE 1
-- session 1
SELECT count(*) FROM app.comment;
-- gives: 0
