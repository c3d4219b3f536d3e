-- hole: a child made with INHERITS was granted and has no row security
-- object: public.asset_vehicle
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: policies are not inherited; only queries that name the parent are filtered by it.
CREATE ROLE {app} LOGIN;
CREATE TABLE asset (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  label text NOT NULL
);
CREATE TABLE asset_vehicle (plate text NOT NULL) INHERITS (asset);
ALTER TABLE asset ENABLE ROW LEVEL SECURITY;
ALTER TABLE asset FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON asset
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON asset, asset_vehicle TO {app};
INSERT INTO asset_vehicle (tenant_id, label, plate) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'van', 'A-1'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'bus', 'B-1');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT label FROM asset;
-- gives: van
SELECT plate FROM asset_vehicle ORDER BY plate;
-- gives: A-1; B-1
