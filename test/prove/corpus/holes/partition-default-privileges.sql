-- hole: each new partition is opened by default privileges
-- object: public.event_2026_02
-- also: public.event
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: ALTER DEFAULT PRIVILEGES grants every new table of the maker to the application, partitions too.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
GRANT CREATE, USAGE ON SCHEMA public TO {owner};
SET ROLE {owner};
CREATE TABLE event (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  what text NOT NULL,
  PRIMARY KEY (tenant_id, id, at)
) PARTITION BY RANGE (at);
CREATE TABLE event_2026_01 PARTITION OF event
  FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00');
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON event USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT SELECT, INSERT, UPDATE, DELETE ON event TO {app};
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
CREATE TABLE event_2026_02 PARTITION OF event
  FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00');
RESET ROLE;
INSERT INTO event VALUES (1, 1, '2026-02-02', 'one'), (2, 2, '2026-02-02', 'two');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT what FROM event_2026_02 ORDER BY id;
-- gives: one; two
SELECT what FROM event_2026_01;
-- fails: 42501
