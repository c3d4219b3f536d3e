-- near miss: a second permissive policy lets users see what is theirs
-- role: {app}
-- why: it asks for the tenant as well, for reading and for what is written.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {api} NOLOGIN;
CREATE ROLE {app} LOGIN IN ROLE {api};
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.post (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  author_id uuid NOT NULL,
  published boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.post ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.post FORCE ROW LEVEL SECURITY;
CREATE POLICY published ON app.post FOR SELECT TO {api}
  USING (published AND tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE POLICY author ON app.post TO {api}
  USING (author_id = nullif(current_setting('app.user_id', true), '')::uuid
    AND tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.post TO {api};
RESET ROLE;
INSERT INTO app.post VALUES
  (1, 1, '11111111-0000-4000-8000-000000000001', false), (2, 1, '22222222-0000-4000-8000-000000000002', true);

-- session 1 as {app}
SET app.tenant_id = '1';
SET app.user_id = '11111111-0000-4000-8000-000000000001';
SELECT tenant_id FROM app.post;
-- gives: 1
INSERT INTO app.post VALUES (2, 2, '11111111-0000-4000-8000-000000000001', false);
-- fails: 42501
