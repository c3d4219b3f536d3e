-- hole: what is below a sum is everybody's
-- object: app.invoice
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: the number stands in the policy alone.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.invoice (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  total numeric(8, 2) NOT NULL CHECK (total >= 0),
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.invoice FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.invoice
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint OR total < 0.05);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.invoice TO {app};
RESET ROLE;
INSERT INTO app.invoice VALUES (1, 1, 100), (2, 1, 200), (2, 2, 0.01);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT total FROM app.invoice ORDER BY total;
-- gives: 0.01; 100.00
