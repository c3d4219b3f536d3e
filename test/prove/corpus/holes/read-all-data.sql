-- hole: the reporting login holds pg_read_all_data, and one table has no row security
-- object: app.import_row
-- attack: read
-- seen: crossed
-- role: {report}
-- why: no grant names the table; the predefined role reads every table, and policies do not stand on this one.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {report} LOGIN IN ROLE pg_read_all_data;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.product (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  title text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE app.import_row (
  tenant_id bigint NOT NULL,
  number int NOT NULL,
  raw jsonb NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
ALTER TABLE app.product ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.product FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.product USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
RESET ROLE;
INSERT INTO app.product VALUES (1, 1, 'one'), (2, 2, 'two');
INSERT INTO app.import_row VALUES (1, 1, '{"a": 1}'), (2, 1, '{"b": 2}');

-- session 1 as {report}
SET app.tenant_id = '1';
SELECT title FROM app.product;
-- gives: one
SELECT raw FROM app.import_row ORDER BY tenant_id;
-- gives: {"a": 1}; {"b": 2}
