-- near miss: every command is granted and only two have a policy
-- role: {app}
-- why: where no policy applies nothing passes: an UPDATE or DELETE finds no row.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.receipt (
  tenant_id text NOT NULL,
  number int NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
ALTER TABLE app.receipt ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.receipt FORCE ROW LEVEL SECURITY;
CREATE POLICY reads ON app.receipt FOR SELECT USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE POLICY adds ON app.receipt FOR INSERT
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.receipt TO {app};
RESET ROLE;
INSERT INTO app.receipt VALUES ('north', 1), ('south', 1);

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT tenant_id FROM app.receipt;
-- gives: north
UPDATE app.receipt SET number = 9;
-- gives: UPDATE 0
DELETE FROM app.receipt;
-- gives: DELETE 0
