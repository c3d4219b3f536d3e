-- near miss: partitions without any row security
-- role: {app}
-- why: nothing is granted on them; through the parent its policy holds.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.event (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  kind text NOT NULL,
  PRIMARY KEY (tenant_id, id, kind)
) PARTITION BY LIST (kind);
CREATE TABLE app.event_in PARTITION OF app.event FOR VALUES IN ('in');
CREATE TABLE app.event_out PARTITION OF app.event FOR VALUES IN ('out');
ALTER TABLE app.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.event USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event TO {app};
RESET ROLE;
INSERT INTO app.event VALUES (1, 1, 'in'), (2, 1, 'in');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.event;
-- gives: 1
SELECT count(*) FROM app.event_in;
-- fails: 42501
