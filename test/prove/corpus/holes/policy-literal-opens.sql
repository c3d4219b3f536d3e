-- hole: rows of one state, which only the policy names, are everybody's to read and to change
-- object: app.listing
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: the column is free text: whoever makes rows at random never makes one that is "archived".
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.listing (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  state text NOT NULL,
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.listing ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.listing FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.listing
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint OR state = 'archived');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.listing TO {app};
RESET ROLE;
INSERT INTO app.listing VALUES (1, 1, 'new', 'a'), (2, 1, 'new', 'b'), (2, 2, 'archived', 'old b');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT title FROM app.listing ORDER BY title;
-- gives: a; old b
