-- hole: a policy asks a table that answers for everybody
-- object: app.reading
-- also: app.sensor
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: the readings are the caller's if their sensor can be seen, and every sensor can: it has no row security.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.plant (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.sensor (
  id bigint PRIMARY KEY,
  tenant_id bigint NOT NULL,
  plant_id bigint NOT NULL,
  FOREIGN KEY (tenant_id, plant_id) REFERENCES app.plant (tenant_id, id)
);
CREATE TABLE app.reading (
  sensor_id bigint NOT NULL REFERENCES app.sensor (id),
  at timestamptz NOT NULL DEFAULT now(),
  value int NOT NULL,
  PRIMARY KEY (sensor_id, at)
);
ALTER TABLE app.plant ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.plant FORCE ROW LEVEL SECURITY;
ALTER TABLE app.reading ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.reading FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.plant USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE POLICY own ON app.reading USING (sensor_id IN (SELECT id FROM app.sensor));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.plant, app.sensor TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.reading TO {app};
RESET ROLE;
INSERT INTO app.plant VALUES (1, 1), (2, 2);
INSERT INTO app.sensor VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO app.reading (sensor_id, value) VALUES (1, 10), (2, 20);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT value FROM app.reading ORDER BY value;
-- gives: 10; 20
