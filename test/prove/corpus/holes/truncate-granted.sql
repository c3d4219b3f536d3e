-- hole: GRANT ALL gave TRUNCATE, which no policy sees
-- object: app.job
-- also: app.job_id_seq
-- attack: truncate
-- seen: crossed
-- role: {app}
-- why: TRUNCATE is not row by row; it empties every tenant's rows.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.job (
  tenant_id bigint NOT NULL,
  id bigserial,
  command text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.job USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT ALL ON app.job TO {app};
GRANT USAGE ON SEQUENCE app.job_id_seq TO {app};
RESET ROLE;
INSERT INTO app.job (tenant_id, command) VALUES (1, 'one'), (2, 'two');

-- session 1 as {app}
SET app.tenant_id = '1';
DELETE FROM app.job WHERE tenant_id = 2;
-- gives: DELETE 0
TRUNCATE app.job;
-- gives: TRUNCATE
-- session 2 as superuser
SELECT count(*) FROM app.job;
-- gives: 0
