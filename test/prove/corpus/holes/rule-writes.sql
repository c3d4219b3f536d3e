-- hole: a rule on a view inserts with its owner's rights
-- object: app.new_memo
-- attack: insert
-- seen: crossed
-- role: {app}
-- why: what a rule's statement may do is what the rule's owner may; the owner owns the table, which is not forced.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.memo (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.memo ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.memo USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE VIEW app.new_memo AS SELECT NULL::bigint AS tenant_id, NULL::text AS body WHERE false;
CREATE RULE enter AS ON INSERT TO app.new_memo
  DO INSTEAD INSERT INTO app.memo (tenant_id, body) VALUES (NEW.tenant_id, NEW.body);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.memo TO {app};
GRANT INSERT ON app.new_memo TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = '1';
INSERT INTO app.new_memo VALUES (2, 'planted');
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = '2';
SELECT body FROM app.memo;
-- gives: planted
