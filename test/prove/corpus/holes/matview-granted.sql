-- hole: a materialised view over every tenant's rows was granted to the application
-- object: sales.by_month
-- attack: read
-- seen: crossed
-- role: {app}
-- why: row security cannot be put on a materialised view.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA sales AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE sales.sale (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  sold_on date NOT NULL,
  cents bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE sales.sale ENABLE ROW LEVEL SECURITY;
ALTER TABLE sales.sale FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sales.sale
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
INSERT INTO sales.sale (tenant_id, sold_on, cents) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '2026-01-01', 1),
  ('bbbbbbbb-0000-4000-8000-00000000000b', '2026-01-01', 2);
CREATE MATERIALIZED VIEW sales.by_month AS
  SELECT tenant_id, date_trunc('month', sold_on::timestamp)::date AS month, sum(cents) AS cents
  FROM sales.sale GROUP BY 1, 2;
CREATE UNIQUE INDEX ON sales.by_month (tenant_id, month);
GRANT USAGE ON SCHEMA sales TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON sales.sale TO {app};
GRANT SELECT ON sales.by_month TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT cents FROM sales.by_month ORDER BY cents;
-- gives: 1; 2
