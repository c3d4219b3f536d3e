-- hole: an unprotected table is granted by columns only
-- object: public.payout
-- attack: read
-- seen: crossed
-- role: {app}
-- why: has_table_privilege says no and SELECT * fails, yet the granted columns of every tenant's rows can be read.
CREATE ROLE {app} LOGIN;
CREATE TABLE account (
  tenant_id bigint PRIMARY KEY,
  label text NOT NULL
);
CREATE TABLE payout (
  tenant_id bigint NOT NULL REFERENCES account (tenant_id),
  id bigint GENERATED ALWAYS AS IDENTITY,
  iban text NOT NULL,
  internal_note text,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON account USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT SELECT ON account TO {app};
GRANT SELECT (tenant_id, iban) ON payout TO {app};
INSERT INTO account VALUES (1, 'one'), (2, 'two');
INSERT INTO payout (tenant_id, iban) VALUES (1, 'DE01'), (2, 'DE02');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT * FROM payout;
-- fails: 42501
SELECT iban FROM payout ORDER BY iban;
-- gives: DE01; DE02
