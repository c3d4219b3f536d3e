-- hole: an open table that a pattern, a generated column and a cycle of foreign keys make hard to fill
-- object: app.shelf
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: whoever cannot make a row of it sees nothing in it, and might call that held.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.warehouse (
  tenant_id uuid NOT NULL,
  code text NOT NULL CHECK (code ~ '^[A-Z]{2}-[0-9]{3}$'),
  main_shelf int,
  PRIMARY KEY (tenant_id, code)
);
CREATE TABLE app.shelf (
  tenant_id uuid NOT NULL,
  warehouse text NOT NULL,
  number int NOT NULL CHECK (number BETWEEN 1 AND 99),
  label text GENERATED ALWAYS AS (warehouse || '/' || number::text) STORED,
  above int,
  load_kg numeric(6, 1) NOT NULL CHECK (load_kg > 0 AND load_kg < 500),
  kind text NOT NULL CHECK (kind IN ('pallet', 'box')),
  PRIMARY KEY (tenant_id, warehouse, number),
  FOREIGN KEY (tenant_id, warehouse) REFERENCES app.warehouse (tenant_id, code),
  FOREIGN KEY (tenant_id, warehouse, above) REFERENCES app.shelf (tenant_id, warehouse, number)
);
ALTER TABLE app.warehouse ADD FOREIGN KEY (tenant_id, code, main_shelf)
  REFERENCES app.shelf (tenant_id, warehouse, number) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE app.warehouse ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.warehouse FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.warehouse
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.warehouse, app.shelf TO {app};
RESET ROLE;
INSERT INTO app.warehouse (tenant_id, code) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'AA-001'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'BB-001');
INSERT INTO app.shelf (tenant_id, warehouse, number, load_kg, kind) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'AA-001', 1, 10, 'box'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'BB-001', 1, 10, 'box');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT label FROM app.shelf ORDER BY label;
-- gives: AA-001/1; BB-001/1
