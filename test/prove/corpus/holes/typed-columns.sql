-- hole: an open table whose columns are of the types that a driver does not give back as they were written
-- object: app.visit_log
-- attack: read
-- seen: crossed
-- role: {app}
-- why: the rows are plainly there; who compares them as text must know that true is t and an address has a mask.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TYPE app.channel AS ENUM ('web', 'phone');
CREATE DOMAIN app.score AS numeric(6, 2) CHECK (VALUE >= 0);
CREATE TABLE app.visitor (tenant_id uuid NOT NULL, id bigint NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE app.visit_log (
  tenant_id uuid NOT NULL,
  visitor_id bigint NOT NULL,
  at timestamptz NOT NULL,
  back boolean NOT NULL,
  address inet,
  network cidr,
  stay interval,
  "during" tstzrange,
  score app.score,
  channel app.channel,
  tags text[],
  payload jsonb,
  picture bytea,
  weight double precision,
  day date,
  PRIMARY KEY (tenant_id, visitor_id, at),
  FOREIGN KEY (tenant_id, visitor_id) REFERENCES app.visitor (tenant_id, id)
);
ALTER TABLE app.visitor ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.visitor FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.visitor
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.visitor TO {app};
GRANT SELECT ON app.visit_log TO {app};
RESET ROLE;
INSERT INTO app.visitor VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 1);
INSERT INTO app.visit_log (tenant_id, visitor_id, at, back, address) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1, '2026-01-01', true, '10.0.0.1'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 1, '2026-01-01', false, '10.0.0.2');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT back, address FROM app.visit_log ORDER BY address;
-- gives: t | 10.0.0.1; f | 10.0.0.2
