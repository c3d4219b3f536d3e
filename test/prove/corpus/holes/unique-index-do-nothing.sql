-- hole: a unique expression index answers through ON CONFLICT DO NOTHING
-- object: app.handle
-- attack: reveal
-- seen: crossed
-- role: {app}
-- why: no constraint is in the catalogue, only an index on lower(name); the count of inserted rows is the answer.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.handle (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  released_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX handle_name ON app.handle (lower(name)) WHERE released_at IS NULL;
ALTER TABLE app.handle ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.handle FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.handle USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT ON app.handle TO {app};
RESET ROLE;
INSERT INTO app.handle (tenant_id, name) VALUES (1, 'ada'), (2, 'bob');

-- session 1 as {app}
SET app.tenant_id = '1';
INSERT INTO app.handle (tenant_id, name) VALUES (1, 'BOB') ON CONFLICT DO NOTHING;
-- gives: INSERT 0
INSERT INTO app.handle (tenant_id, name) VALUES (1, 'carl') ON CONFLICT DO NOTHING;
-- gives: INSERT 1
