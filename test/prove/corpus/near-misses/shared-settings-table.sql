-- near miss: a table without a tenant and without row security that the application may read
-- role: {app}
-- why: the plans one can subscribe to are everybody's; only reading is granted.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.plan (name text PRIMARY KEY, cents bigint NOT NULL CHECK (cents >= 0));
CREATE TABLE app.tenant (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  plan text NOT NULL REFERENCES app.plan (name)
);
CREATE INDEX tenant_plan ON app.tenant (plan);
CREATE TABLE app.seat (
  tenant_id uuid NOT NULL REFERENCES app.tenant (id),
  person text NOT NULL,
  PRIMARY KEY (tenant_id, person)
);
ALTER TABLE app.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE app.seat ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.seat FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.tenant
  USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.seat
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.plan, app.tenant TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.seat TO {app};
RESET ROLE;
INSERT INTO app.plan VALUES ('free', 0), ('team', 900);
INSERT INTO app.tenant VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'free'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'team');
INSERT INTO app.seat VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'a@a');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT (SELECT count(*) FROM app.plan), (SELECT count(*) FROM app.tenant), (SELECT count(*) FROM app.seat);
-- gives: 2 | 1 | 1
