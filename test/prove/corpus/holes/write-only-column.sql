-- hole: a role that may not read a table may overwrite one column of it, for everybody
-- object: public.device
-- attack: update
-- seen: crossed
-- role: {agent}
-- why: UPDATE needs no right to SELECT while it reads nothing; the table has no row security.
CREATE ROLE {agent} LOGIN;
CREATE TABLE site (
  tenant_id uuid PRIMARY KEY,
  name text NOT NULL
);
CREATE TABLE device (
  tenant_id uuid NOT NULL REFERENCES site (tenant_id),
  serial text NOT NULL,
  status text NOT NULL DEFAULT 'new',
  PRIMARY KEY (tenant_id, serial)
);
ALTER TABLE site ENABLE ROW LEVEL SECURITY;
ALTER TABLE site FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON site
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT ON site TO {agent};
GRANT UPDATE (status) ON device TO {agent};
INSERT INTO site VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');
INSERT INTO device (tenant_id, serial) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a1'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b1');

-- session 1 as {agent}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
UPDATE device SET status = 'off' WHERE serial = 'b1';
-- fails: 42501
UPDATE device SET status = 'off';
-- gives: UPDATE 2
