-- hole: the setting is a list, and a view of the owner's joins past it
-- object: app.branch_total
-- attack: read
-- seen: crossed
-- role: {app}
-- why: the policies ask for membership in a list of numbers; the view reads with its owner's rights, who is not forced.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.branch (tenant_id bigint NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, name));
CREATE TABLE app.sale (
  tenant_id bigint NOT NULL,
  branch text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  cents bigint NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, branch) REFERENCES app.branch (tenant_id, name)
);
ALTER TABLE app.branch ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sale ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.branch
  USING (tenant_id = ANY (string_to_array(nullif(current_setting('app.tenants', true), ''), ',')::bigint[]));
CREATE POLICY own ON app.sale
  USING (tenant_id = ANY (string_to_array(nullif(current_setting('app.tenants', true), ''), ',')::bigint[]));
CREATE VIEW app.branch_total AS
  SELECT b.name, sum(s.cents) AS cents FROM app.branch b JOIN app.sale s ON (s.tenant_id, s.branch) = (b.tenant_id, b.name)
  GROUP BY b.name;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.branch, app.sale TO {app};
GRANT SELECT ON app.branch_total TO {app};
RESET ROLE;
INSERT INTO app.branch VALUES (1, 'north'), (2, 'south'), (3, 'east');
INSERT INTO app.sale (tenant_id, branch, cents) VALUES (1, 'north', 10), (2, 'south', 20), (3, 'east', 30);

-- session 1 as {app}
SET app.tenants = '1,3';
SELECT name FROM app.branch ORDER BY name;
-- gives: east; north
SELECT name FROM app.branch_total ORDER BY name;
-- gives: east; north; south
