-- hole: a function opens a cursor that outlives its transaction
-- object: app.open_lines()
-- attack: next request
-- seen: crossed
-- role: {app}
-- why: WITH HOLD reads the rows when the transaction ends; who gets the connection next fetches them.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.line (tenant_id text NOT NULL, id int NOT NULL, words text NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.line ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.line USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE FUNCTION app.open_lines() RETURNS text
  LANGUAGE plpgsql
  AS $$
  BEGIN
    EXECUTE 'DECLARE lines CURSOR WITH HOLD FOR SELECT words FROM app.line';
    RETURN 'lines';
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.line TO {app};
RESET ROLE;
INSERT INTO app.line VALUES ('north', 1, 'n'), ('south', 1, 's');

-- session 1 as {app}
BEGIN;
SET LOCAL app.tenant_id = 'north';
SELECT app.open_lines();
-- gives: lines
COMMIT;
BEGIN;
SET LOCAL app.tenant_id = 'south';
FETCH ALL FROM lines;
-- gives: n
