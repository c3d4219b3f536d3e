-- hole: a careful view opens when the setting was never made
-- object: hr.salaries
-- attack: unset
-- seen: crossed
-- role: {app}
-- why: coalesce(setting, the row's own column) was meant for the nightly job; any session without the setting is one.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA hr AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE hr.salary (
  tenant_id text NOT NULL,
  person text NOT NULL,
  cents bigint NOT NULL,
  PRIMARY KEY (tenant_id, person)
);
ALTER TABLE hr.salary ENABLE ROW LEVEL SECURITY;
ALTER TABLE hr.salary FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON hr.salary USING (tenant_id = current_setting('app.tenant_id', true));
CREATE VIEW hr.salaries WITH (security_barrier) AS
  SELECT tenant_id, person, cents FROM hr.salary
  WHERE tenant_id = coalesce(current_setting('app.tenant_id', true), tenant_id);
GRANT USAGE ON SCHEMA hr TO {app};
GRANT SELECT ON hr.salaries TO {app};
RESET ROLE;
INSERT INTO hr.salary VALUES ('north', 'Nora', 1), ('south', 'Sven', 2);

-- session 1 as {app}
SELECT person FROM hr.salaries ORDER BY person;
-- gives: Nora; Sven
SET app.tenant_id = 'north';
SELECT person FROM hr.salaries;
-- gives: Nora
