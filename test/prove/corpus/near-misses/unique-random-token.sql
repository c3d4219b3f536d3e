-- near miss: a key is unique over all tenants
-- role: {app}
-- why: it is a random uuid that the server makes; nobody can ask for one that he does not hold already.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.invitation (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.invitation USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.invitation TO {app};
RESET ROLE;
INSERT INTO app.invitation (tenant_id) VALUES (1), (2);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT count(*) FROM app.invitation;
-- gives: 1
INSERT INTO app.invitation (tenant_id) SELECT 1 FROM generate_series(1, 100);
-- gives: INSERT 100
