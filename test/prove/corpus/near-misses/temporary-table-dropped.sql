-- near miss: a function works with a temporary table
-- role: {app}
-- why: the table goes with the transaction, and with it what it held.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.line (tenant_id text NOT NULL, id int NOT NULL, words text NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.line ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.line USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE FUNCTION app.basket() RETURNS TABLE (words text)
  LANGUAGE plpgsql SET client_min_messages = warning
  AS $$
  BEGIN
    CREATE TEMPORARY TABLE IF NOT EXISTS basket ON COMMIT DROP AS SELECT l.words FROM app.line l;
    RETURN QUERY SELECT b.words FROM basket b;
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.line TO {app};
RESET ROLE;
INSERT INTO app.line VALUES ('north', 1, 'n'), ('south', 1, 's');

-- session 1 as {app}
BEGIN;
SET LOCAL app.tenant_id = 'north';
SELECT words FROM app.basket();
-- gives: n
COMMIT;
BEGIN;
SET LOCAL app.tenant_id = 'south';
SELECT words FROM app.basket();
-- gives: s
