-- hole: a SECURITY DEFINER procedure writes into the tenant that its caller names
-- object: app.add_task(bigint,text), app.task, app.add_task
-- attack: function, insert
-- seen: crossed
-- role: {app}
-- why: nothing is returned, so nothing seems to leak; the row lands in another tenant's table.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.task (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.task FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.task USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE FUNCTION app.add_task(tenant bigint, title text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'INSERT INTO app.task (tenant_id, title) VALUES (tenant, add_task.title)';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.task TO {app};
RESET ROLE;
INSERT INTO app.task (tenant_id, title) VALUES (1, 'one'), (2, 'two');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.add_task(2, 'planted');
-- gives: 1
-- session 2 as {app}
SET app.tenant_id = '2';
SELECT title FROM app.task ORDER BY id;
-- gives: two; planted
