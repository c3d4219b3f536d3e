-- hole: what was made more than seven years ago is everybody's
-- object: app.letter
-- attack: read, update, delete
-- seen: crossed
-- role: {app}
-- why: the line moves with the present.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.letter (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  sent_on date NOT NULL DEFAULT CURRENT_DATE,
  words text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.letter
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint OR sent_on < now() - interval '7 years');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.letter TO {app};
RESET ROLE;
INSERT INTO app.letter VALUES (1, 1, CURRENT_DATE, 'a'), (2, 1, CURRENT_DATE, 'b'), (2, 2, CURRENT_DATE - 3000, 'old b');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT words FROM app.letter ORDER BY words;
-- gives: a; old b
