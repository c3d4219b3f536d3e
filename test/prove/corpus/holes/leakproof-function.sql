-- hole: a function that is declared LEAKPROOF and is not
-- object: app.remember(text), app.remember
-- also: app.letter
-- attack: leak, function
-- seen: told
-- role: {app}
-- why: row security lets leakproof functions run before the policy; this one keeps what it is handed.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.letter (tenant_id text NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, body));
ALTER TABLE app.letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.letter USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.letter TO {app};
RESET ROLE;
CREATE FUNCTION app.remember(word text) RETURNS boolean
  LANGUAGE plpgsql STABLE LEAKPROOF COST 0.0000001 SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    PERFORM set_config('app.seen', concat_ws(', ', nullif(current_setting('app.seen', true), ''), word), false);
    RETURN true;
  END $$;
INSERT INTO app.letter VALUES ('north', 'mine'), ('south', 'theirs');

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT body FROM app.letter;
-- gives: mine
SELECT body FROM app.letter WHERE app.remember(body);
SELECT current_setting('app.seen') LIKE '%theirs%';
-- gives: t
