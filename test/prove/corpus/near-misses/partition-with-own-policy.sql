-- near miss: a partition is granted to the application by name
-- role: {app}
-- why: it carries the same policy as its parent, enabled and forced.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.event (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  region text NOT NULL,
  PRIMARY KEY (tenant_id, id, region)
) PARTITION BY LIST (region);
CREATE TABLE app.event_north PARTITION OF app.event FOR VALUES IN ('north');
CREATE TABLE app.event_south PARTITION OF app.event FOR VALUES IN ('south');
ALTER TABLE app.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event FORCE ROW LEVEL SECURITY;
ALTER TABLE app.event_north ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event_north FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.event
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.event_north
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event, app.event_north TO {app};
RESET ROLE;
INSERT INTO app.event (tenant_id, region) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'north'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'north');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM app.event_north;
-- gives: 1
SELECT count(*) FROM app.event_south;
-- fails: 42501
INSERT INTO app.event_north (tenant_id, region) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'north');
-- fails: 42501
