// `jiti bench/traps.ts [--tables 500 --runs 3 --url postgres://… --json]`: how long all checks take on a database of many
// tables, as a superuser and as a role without rights, and which checks and facts take longest. Takes a superuser's
// connection string of an empty database, or starts a server of its own.
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { CHECKS, findTraps } from '../src/prove/traps/index.ts';
import { describeMachine, openServer } from './machine.ts';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    tables: { type: 'string', default: '500' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});

const tables = Number(options.tables);
const server = await openServer(options.url ?? process.env['BENCH_URL']);
try {
  await fill(server.url);
  const now = new Date();
  const runs: { who: string; ms: number; findings: number; unseen: number }[] = [];
  const looker = new URL(server.url);
  looker.username = 'bench_looker';
  looker.password = 'bench';
  for (let run = 0; run < Number(options.runs); run += 1) {
    for (const [who, url] of [
      ['superuser', server.url],
      ['role without rights', looker.href],
    ] as const) {
      const { durationMs, findings, unseen } = await findTraps({ url, now });
      runs.push({ who, ms: durationMs, findings: findings.length, unseen: unseen.length });
    }
  }
  const slowest = await slowestChecks(server.url, now);
  const result = { machine: await describeMachine(server.url), tables, checks: CHECKS.length, runs, slowest };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : page(result));
} finally {
  await server.stop();
}

async function fill(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(
    `
    CREATE ROLE bench_app LOGIN; CREATE ROLE bench_looker LOGIN PASSWORD 'bench'; CREATE SCHEMA shop;
    CREATE TABLE shop.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);
    DO $$
    BEGIN
      FOR i IN 1..${tables} LOOP
        EXECUTE format($t$CREATE TABLE shop.t%1$s (id bigint GENERATED ALWAYS AS IDENTITY, tenant_id uuid NOT NULL REFERENCES shop.tenants,
          up bigint, status text NOT NULL CHECK (status IN ('a', 'b')), name text, email text, amount numeric, payload jsonb,
          created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, PRIMARY KEY (tenant_id, id))$t$, i);
        EXECUTE format('CREATE INDEX ON shop.t%s (tenant_id, created_at)', i);
        EXECUTE format('CREATE INDEX ON shop.t%s USING gin (payload)', i);
        EXECUTE format('CREATE INDEX ON shop.t%s (lower(email)) WHERE status = ''a''', i);
        IF i > 1 THEN
          EXECUTE format('ALTER TABLE shop.t%s ADD FOREIGN KEY (tenant_id, up) REFERENCES shop.t%s', i, i - 1);
        END IF;
        EXECUTE format('ALTER TABLE shop.t%s ENABLE ROW LEVEL SECURITY', i);
        EXECUTE format($p$CREATE POLICY mine ON shop.t%s USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)$p$, i);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON shop.t%s TO bench_app', i);
        IF i %% 5 = 0 THEN
          EXECUTE format('CREATE VIEW shop.v%1$s WITH (security_invoker) AS SELECT status, count(*) AS n FROM shop.t%1$s GROUP BY status', i);
          EXECUTE format($f$CREATE FUNCTION shop.f%1$s(n bigint) RETURNS bigint LANGUAGE plpgsql AS $b$BEGIN
            RETURN (SELECT count(*) FROM shop.t%1$s WHERE id > n); END$b$ $f$, i);
        END IF;
        IF i %% 10 = 0 THEN
          EXECUTE format('CREATE MATERIALIZED VIEW shop.m%1$s AS SELECT tenant_id, count(*) AS n FROM shop.t%1$s GROUP BY tenant_id', i);
          EXECUTE format('CREATE UNIQUE INDEX ON shop.m%s (tenant_id)', i);
        END IF;
      END LOOP;
    END$$;
    GRANT USAGE ON SCHEMA shop TO bench_app; ANALYZE;`.replaceAll('%%', '%'),
  );
  await client.end();
}

async function slowestChecks(url: string, now: Date): Promise<readonly { code: string; ms: number }[]> {
  const times: { code: string; ms: number }[] = [];
  let at = performance.now();
  let code = 'the boundaries and the first facts';
  await findTraps({
    url,
    now,
    onProgress: ({ done }) => {
      times.push({ code, ms: Math.round(performance.now() - at) });
      at = performance.now();
      code = CHECKS[done]?.code ?? '';
    },
  });
  times.push({ code, ms: Math.round(performance.now() - at) });
  return times.toSorted((a, b) => b.ms - a.ms).slice(0, 8);
}

interface Result {
  readonly machine: Readonly<Record<string, string>>;
  readonly tables: number;
  readonly checks: number;
  readonly runs: readonly { who: string; ms: number; findings: number; unseen: number }[];
  readonly slowest: readonly { code: string; ms: number }[];
}

function page({ machine, tables, checks, runs, slowest }: Result): string {
  return [
    ...Object.entries(machine).map(([name, value]) => `${name}: ${value}`),
    `${checks} checks on ${tables} tables`,
    ...runs.map(
      ({ who, ms, findings, unseen }) => `  ${who}: ${ms} ms, ${findings} findings, ${unseen} parts unseen`,
    ),
    'slowest (each with the facts it was first to ask for):',
    ...slowest.map(({ code, ms }) => `  ${code}: ${ms} ms`),
    '',
  ].join('\n');
}
