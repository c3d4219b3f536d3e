-- hole: the right to make triggers lets one tenant's session listen to every other's writes
-- object: app.reply
-- attack: trigger
-- seen: told
-- role: {app}
-- why: a trigger made by the application's role runs in every later session, with that session's tenant, and may copy
--   each row to a table that the role owns.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA own AUTHORIZATION {app};
SET ROLE {owner};
CREATE TABLE app.reply (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.reply ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.reply FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.reply USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON app.reply TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'north';
CREATE TABLE own.heard (body text);
CREATE FUNCTION own.hear() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN INSERT INTO own.heard VALUES (NEW.body); RETURN NULL; END $$;
CREATE TRIGGER hear AFTER INSERT ON app.reply FOR EACH ROW EXECUTE FUNCTION own.hear();
-- gives: CREATE
-- session 2 as {app}
SET app.tenant_id = 'south';
INSERT INTO app.reply (tenant_id, body) VALUES ('south', 'between us');
-- gives: INSERT 1
-- session 1
SELECT body FROM own.heard;
-- gives: between us
