-- near miss: a foreign key that cascades
-- role: {app}
-- why: the tenant is in the key on both sides: no row can hang on another tenant's, and none is taken along.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.topic (
  tenant_id text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.comment (
  tenant_id text NOT NULL,
  topic_id uuid NOT NULL,
  number int NOT NULL,
  PRIMARY KEY (tenant_id, topic_id, number),
  FOREIGN KEY (tenant_id, topic_id) REFERENCES app.topic (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE app.topic ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.topic FORCE ROW LEVEL SECURITY;
ALTER TABLE app.comment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.comment FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.topic USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE POLICY own ON app.comment USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.topic, app.comment TO {app};
RESET ROLE;
INSERT INTO app.topic VALUES
  ('north', '11111111-0000-4000-8000-000000000001', 'n'), ('south', '11111111-0000-4000-8000-000000000001', 's');
INSERT INTO app.comment VALUES
  ('north', '11111111-0000-4000-8000-000000000001', 1), ('south', '11111111-0000-4000-8000-000000000001', 1);

-- session 1 as {app}
SET app.tenant_id = 'north';
DELETE FROM app.topic;
-- gives: DELETE 1
-- session 2 as {app}
SET app.tenant_id = 'south';
SELECT count(*) FROM app.comment;
-- gives: 1
