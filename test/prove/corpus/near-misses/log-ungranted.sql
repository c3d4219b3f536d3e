-- near miss: a SECURITY DEFINER trigger copies every tenant's rows into a log without row security
-- role: {app}
-- why: nothing is granted on the log, and the copy is made of the row that the session may write anyway.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.offer (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.change_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  row_after jsonb NOT NULL
);
CREATE FUNCTION app.log_change() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ BEGIN INSERT INTO app.change_log (row_after) VALUES (to_jsonb(NEW)); RETURN NULL; END $$;
REVOKE EXECUTE ON FUNCTION app.log_change() FROM PUBLIC;
CREATE TRIGGER log AFTER INSERT OR UPDATE ON app.offer FOR EACH ROW EXECUTE FUNCTION app.log_change();
ALTER TABLE app.offer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.offer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.offer USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.offer TO {app};
RESET ROLE;
INSERT INTO app.offer VALUES (1, 1, 'of a'), (2, 1, 'of b');

-- session 1 as {app}
SET app.tenant_id = '1';
INSERT INTO app.offer VALUES (1, 2, 'more of a');
SELECT count(*) FROM app.offer;
-- gives: 2
SELECT count(*) FROM app.change_log;
-- fails: 42501
