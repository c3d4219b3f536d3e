-- hole: the partition has row security of its own, forced, with a policy that filters nothing
-- object: public.trace_q1
-- attack: read, update, delete, insert, move
-- seen: crossed
-- role: {app}
-- why: whoever wrote it looked for "enabled and forced" and not for what the policy says.
CREATE ROLE {app} LOGIN;
CREATE TABLE trace (
  tenant_id text NOT NULL,
  at date NOT NULL,
  line text NOT NULL,
  PRIMARY KEY (tenant_id, at)
) PARTITION BY RANGE (at);
CREATE TABLE trace_q1 PARTITION OF trace FOR VALUES FROM ('2026-01-01') TO ('2026-04-01');
ALTER TABLE trace ENABLE ROW LEVEL SECURITY;
ALTER TABLE trace FORCE ROW LEVEL SECURITY;
ALTER TABLE trace_q1 ENABLE ROW LEVEL SECURITY;
ALTER TABLE trace_q1 FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON trace USING (tenant_id = current_setting('app.tenant_id', true));
CREATE POLICY own ON trace_q1 USING (tenant_id IS NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON trace, trace_q1 TO {app};
INSERT INTO trace VALUES ('north', '2026-01-05', 'n'), ('south', '2026-01-05', 's');

-- session 1 as {app}
SET app.tenant_id = 'north';
SELECT line FROM trace;
-- gives: n
SELECT line FROM trace_q1 ORDER BY line;
-- gives: n; s
