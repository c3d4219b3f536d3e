-- near miss: a foreign key without the tenant in it
-- role: {app}
-- why: it points at the list of countries, which is everybody's.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.country (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.address (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  country text NOT NULL REFERENCES app.country (code),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX address_country ON app.address (country);
ALTER TABLE app.address ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.address FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.address
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.country TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.address TO {app};
RESET ROLE;
INSERT INTO app.country VALUES ('DE', 'Germany'), ('BR', 'Brazil');
INSERT INTO app.address (tenant_id, country) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'DE'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'BR');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT country FROM app.address;
-- gives: DE
INSERT INTO app.country VALUES ('XX', 'planted');
-- fails: 42501
