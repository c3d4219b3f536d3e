-- hole: one table of four was never put under row security
-- object: clinic.payment
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: a policy stands on clinic.payment, but ENABLE ROW LEVEL SECURITY was forgotten; a policy alone does nothing.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA clinic AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE clinic.tenant (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE clinic.patient (
  tenant_id uuid NOT NULL REFERENCES clinic.tenant (id),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE clinic.visit (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  patient_id uuid NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, patient_id) REFERENCES clinic.patient (tenant_id, id)
);
CREATE TABLE clinic.payment (
  tenant_id uuid NOT NULL REFERENCES clinic.tenant (id),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  cents bigint NOT NULL CHECK (cents > 0),
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE clinic.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE clinic.tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE clinic.patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE clinic.patient FORCE ROW LEVEL SECURITY;
ALTER TABLE clinic.visit ENABLE ROW LEVEL SECURITY;
ALTER TABLE clinic.visit FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.tenant
  USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON clinic.patient
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON clinic.visit
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON clinic.payment
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA clinic TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA clinic TO {app};
RESET ROLE;
INSERT INTO clinic.tenant VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'A'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'B');
INSERT INTO clinic.payment (tenant_id, cents) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 100), ('bbbbbbbb-0000-4000-8000-00000000000b', 900);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT cents FROM clinic.payment ORDER BY cents;
-- gives: 100; 900
SELECT name FROM clinic.tenant;
-- gives: A
