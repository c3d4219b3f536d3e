-- hole: a unique address tells one tenant what another has
-- object: app.customer
-- attack: reveal
-- seen: crossed
-- role: {app}
-- why: uniqueness is checked over every tenant's rows, and the error says that one is there.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.customer (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  email text NOT NULL UNIQUE,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customer
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customer TO {app};
RESET ROLE;
INSERT INTO app.customer (tenant_id, email) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b@b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
INSERT INTO app.customer (tenant_id, email) VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', 'b@b');
-- fails: 23505
INSERT INTO app.customer (tenant_id, email) VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', 'c@c');
-- gives: INSERT 1
