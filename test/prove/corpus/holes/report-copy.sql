-- hole: the nightly report is a table of its own in another schema
-- object: report.customer_of_day
-- attack: read
-- seen: crossed
-- role: {analyst}
-- why: CREATE TABLE AS keeps the rows and nothing else; the analysts' login reads all of it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {api} NOLOGIN;
CREATE ROLE {web} LOGIN IN ROLE {api};
CREATE ROLE {analyst} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA report AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.customer (
  tenant_id uuid NOT NULL,
  email text NOT NULL,
  PRIMARY KEY (tenant_id, email)
);
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customer TO {api}
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customer TO {api};
RESET ROLE;
INSERT INTO app.customer VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b@b');
CREATE TABLE report.customer_of_day AS SELECT tenant_id, email, 1 AS visits FROM app.customer;
GRANT USAGE ON SCHEMA report TO {analyst};
GRANT SELECT ON report.customer_of_day TO {analyst};

-- session 1 as {analyst}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT email FROM report.customer_of_day ORDER BY email;
-- gives: a@a; b@b
