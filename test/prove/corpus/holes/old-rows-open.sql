-- hole: rows from before a date are everybody's
-- object: app.bulletin
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: an amnesty for what was migrated; the date stands in the policy alone.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.bulletin (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.bulletin ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bulletin FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.bulletin
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint OR made_at < '2019-01-01 00:00:00+00');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bulletin TO {app};
RESET ROLE;
INSERT INTO app.bulletin VALUES (1, 1, '2026-01-01', 'a'), (2, 1, '2026-01-01', 'b'), (2, 2, '2018-01-01', 'old b');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT title FROM app.bulletin ORDER BY title;
-- gives: a; old b
