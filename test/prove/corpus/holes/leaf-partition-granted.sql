-- hole: a leaf below a leaf can be read past its parent's policy
-- object: meter.reading_2026_north
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: a statement that names a partition is held against the partition's own policies, and it has none.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA meter AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE meter.reading (
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL,
  region text NOT NULL,
  watts int NOT NULL,
  PRIMARY KEY (tenant_id, at, region)
) PARTITION BY RANGE (at);
CREATE TABLE meter.reading_2026 PARTITION OF meter.reading
  FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00') PARTITION BY LIST (region);
CREATE TABLE meter.reading_2026_north PARTITION OF meter.reading_2026 FOR VALUES IN ('north');
CREATE TABLE meter.reading_2026_south PARTITION OF meter.reading_2026 FOR VALUES IN ('south');
ALTER TABLE meter.reading ENABLE ROW LEVEL SECURITY;
ALTER TABLE meter.reading FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON meter.reading
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA meter TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON meter.reading TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON meter.reading_2026_north TO {app};
RESET ROLE;
INSERT INTO meter.reading VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '2026-02-01', 'north', 10),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '2026-02-01', 'north', 20);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT watts FROM meter.reading;
-- gives: 10
SELECT watts FROM meter.reading_2026_north ORDER BY watts;
-- gives: 10; 20
SELECT watts FROM meter.reading_2026;
-- fails: 42501
