-- hole: rows can be written for another tenant, and one's own pushed over to it
-- object: stock.item
-- attack: insert, move
-- seen: crossed
-- role: {app}
-- why: WITH CHECK (true) takes the place of USING for the rows that an INSERT or UPDATE leaves behind.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA stock AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE stock.item (
  tenant_id text NOT NULL,
  sku text NOT NULL,
  label text NOT NULL,
  PRIMARY KEY (tenant_id, sku)
);
ALTER TABLE stock.item ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock.item FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON stock.item
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
  WITH CHECK (true);
GRANT USAGE ON SCHEMA stock TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON stock.item TO {app};
RESET ROLE;
INSERT INTO stock.item VALUES ('north', 'n1', 'bolt'), ('south', 's1', 'nut');

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT sku FROM stock.item;
-- gives: n1
INSERT INTO stock.item VALUES ('south', 'x1', 'planted by north');
-- gives: INSERT 1
UPDATE stock.item SET tenant_id = 'south';
-- gives: UPDATE 1
-- session 2 as {app}
SET app.tenant_id = 'south';
SELECT sku FROM stock.item ORDER BY sku;
-- gives: n1; s1; x1
