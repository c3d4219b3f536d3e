-- near miss: stations of one plant see each other's orders, parts and faults, and only their own counter
-- role: {app}
-- why: most tables are the whole plant's; that one asks for the station as well makes no owner of a station.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.counter (
  plant text NOT NULL,
  station int NOT NULL,
  pieces bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (plant, station)
);
CREATE TABLE app.job (
  plant text NOT NULL,
  station int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (plant, id),
  FOREIGN KEY (plant, station) REFERENCES app.counter (plant, station)
);
CREATE INDEX job_counter ON app.job (plant, station);
CREATE TABLE app.part (
  plant text NOT NULL,
  station int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (plant, id),
  FOREIGN KEY (plant, station) REFERENCES app.counter (plant, station)
);
CREATE INDEX part_counter ON app.part (plant, station);
CREATE TABLE app.fault (
  plant text NOT NULL,
  station int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (plant, id),
  FOREIGN KEY (plant, station) REFERENCES app.counter (plant, station)
);
CREATE INDEX fault_counter ON app.fault (plant, station);
ALTER TABLE app.counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.counter FORCE ROW LEVEL SECURITY;
ALTER TABLE app.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job FORCE ROW LEVEL SECURITY;
ALTER TABLE app.part ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.part FORCE ROW LEVEL SECURITY;
ALTER TABLE app.fault ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.fault FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.counter
  USING (plant = current_setting('app.plant', true) AND station = nullif(current_setting('app.station', true), '')::int);
CREATE POLICY own ON app.job USING (plant = current_setting('app.plant', true));
CREATE POLICY own ON app.part USING (plant = current_setting('app.plant', true));
CREATE POLICY own ON app.fault USING (plant = current_setting('app.plant', true));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.counter, app.job, app.part, app.fault TO {app};
RESET ROLE;
INSERT INTO app.counter VALUES ('north', 1), ('north', 2), ('south', 1);
INSERT INTO app.job SELECT plant, station, station FROM app.counter;
INSERT INTO app.part SELECT plant, station, station FROM app.counter;
INSERT INTO app.fault SELECT plant, station, station FROM app.counter;

-- session 1 as {app}
SET app.plant = 'north';
SET app.station = '1';
SELECT (SELECT count(*) FROM app.counter), (SELECT count(*) FROM app.job), (SELECT count(*) FROM app.fault);
-- gives: 1 | 2 | 2
