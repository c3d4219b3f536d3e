-- hole: without the setting the policy compares the column with itself
-- object: app.shift
-- attack: unset
-- seen: crossed
-- role: {app}
-- why: coalesce(current_setting(…, true), tenant) is NULL's way of saying everybody.
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
CREATE POLICY own ON app.shift USING (tenant = coalesce(current_setting('app.tenant', true), tenant));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shift TO {app};
RESET ROLE;
INSERT INTO app.shift (tenant, worker) VALUES ('north', 'n'), ('south', 's');

-- session 1 as {app}
SELECT worker FROM app.shift ORDER BY worker;
-- gives: n; s
BEGIN;
SET LOCAL app.tenant = 'north';
SELECT worker FROM app.shift;
-- gives: n
COMMIT;
SELECT worker FROM app.shift;
-- gives: nothing
