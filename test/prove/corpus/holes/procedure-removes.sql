-- hole: a SECURITY DEFINER procedure tidies up for everybody
-- object: app.tidy(int), app.task
-- attack: function, delete
-- seen: crossed
-- role: {app}
-- why: its DELETE has no tenant in it; CALL needs EXECUTE, which is PUBLIC's by default.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.task (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.task FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.task USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE PROCEDURE app.tidy(keep int)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'DELETE FROM app.task WHERE id > keep';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.task TO {app};
RESET ROLE;
INSERT INTO app.task (tenant_id, title) VALUES (1, 'one'), (2, 'two');

-- session 1 as {app}
SET app.tenant_id = '1';
CALL app.tidy(0);
-- gives: CALL
-- session 2 as superuser
SELECT count(*) FROM app.task;
-- gives: 0
