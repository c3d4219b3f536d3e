-- near miss: a correct schema full of constraints
-- role: {app}
-- why: nothing crosses, and that says something only if rows could be made for every table.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TYPE app.unit AS ENUM ('kg', 'piece');
CREATE DOMAIN app.slug AS text CHECK (VALUE ~ '^[a-z][a-z0-9-]{2,30}$');
CREATE TABLE app.currency (code text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'), digits smallint NOT NULL CHECK (digits BETWEEN 0 AND 4));
CREATE TABLE app.tenant (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  currency text NOT NULL REFERENCES app.currency (code)
);
CREATE INDEX tenant_currency ON app.tenant (currency);
CREATE TABLE app.product (
  tenant_id uuid NOT NULL REFERENCES app.tenant (id),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  slug app.slug NOT NULL,
  unit app.unit NOT NULL,
  cents bigint NOT NULL CHECK (cents >= 0),
  valid daterange NOT NULL CHECK (NOT isempty(valid)),
  sum_text text GENERATED ALWAYS AS (slug::text || ':' || cents::text) STORED,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, slug)
);
CREATE TABLE app.line (
  tenant_id uuid NOT NULL,
  product_id uuid NOT NULL,
  number int NOT NULL CHECK (number > 0),
  at timestamptz NOT NULL,
  quantity numeric(8, 3) NOT NULL CHECK (quantity > 0),
  part_of int,
  CHECK (part_of < number),
  PRIMARY KEY (tenant_id, product_id, number),
  FOREIGN KEY (tenant_id, product_id) REFERENCES app.product (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, product_id, part_of) REFERENCES app.line (tenant_id, product_id, number)
);
CREATE INDEX line_part_of ON app.line (tenant_id, product_id, part_of);
ALTER TABLE app.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE app.product ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.product FORCE ROW LEVEL SECURITY;
ALTER TABLE app.line ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.tenant FOR SELECT
  USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.product
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.line
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.currency, app.tenant TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.product, app.line TO {app};
RESET ROLE;
INSERT INTO app.currency VALUES ('EUR', 2);
INSERT INTO app.tenant VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'EUR'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'EUR');
INSERT INTO app.product (tenant_id, slug, unit, cents, valid) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'bolt', 'kg', 1, '[2026-01-01,)'),
  ('bbbbbbbb-0000-4000-8000-00000000000b', 'bolt', 'kg', 2, '[2026-01-01,)');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT sum_text FROM app.product;
-- gives: bolt:1
INSERT INTO app.product (tenant_id, slug, unit, cents, valid)
  VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'nut', 'kg', 1, '[2026-01-01,)');
-- fails: 42501
