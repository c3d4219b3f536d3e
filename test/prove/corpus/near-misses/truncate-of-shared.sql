-- near miss: TRUNCATE is granted
-- role: {app}
-- why: on a shared table of exchange rates, and to a role that only loads them, which no application works as.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {loader} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.rate (currency text PRIMARY KEY, micros bigint NOT NULL);
CREATE TABLE app.bill (
  tenant_id text NOT NULL,
  number int NOT NULL,
  currency text NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
ALTER TABLE app.bill ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bill FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.bill USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app}, {loader};
GRANT SELECT ON app.rate TO {app};
GRANT SELECT, INSERT, TRUNCATE ON app.rate TO {loader};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bill TO {app};
RESET ROLE;
INSERT INTO app.rate VALUES ('EUR', 1000000);
INSERT INTO app.bill VALUES ('north', 1, 'EUR'), ('south', 1, 'EUR');

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT tenant_id FROM app.bill;
-- gives: north
TRUNCATE app.bill;
-- fails: 42501
TRUNCATE app.rate;
-- fails: 42501
