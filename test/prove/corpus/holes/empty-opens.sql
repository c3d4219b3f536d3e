-- hole: the empty setting, which every pooled connection has after its first request, opens all
-- object: app.shift
-- attack: empty
-- seen: crossed
-- role: {app}
-- why: after SET LOCAL ends the setting is '' and not unset; the policy takes '' for the administrator.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.shift (
  tenant text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  worker text NOT NULL,
  PRIMARY KEY (tenant, id)
);
ALTER TABLE app.shift ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.shift FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.shift
  USING (current_setting('app.tenant', true) IN ('', tenant));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shift TO {app};
RESET ROLE;
INSERT INTO app.shift (tenant, worker) VALUES ('north', 'n'), ('south', 's');

-- session 1 as {app}
SELECT worker FROM app.shift;
-- gives: nothing
BEGIN;
SET LOCAL app.tenant = 'north';
SELECT worker FROM app.shift;
-- gives: n
COMMIT;
SELECT worker FROM app.shift ORDER BY worker;
-- gives: n; s
