// Every change of the online table on big tables with writers beside it; prints how long a writer had to wait at most.
//   npx jiti bench/online.ts --url postgres://… [--rows 1000000] [--writers 8] [--only index]
// It makes databases of its own on that server and drops them again.
import { parseArgs } from 'node:util';
import { Client, Pool } from 'pg';
import type { Plan } from '../src/build/step.ts';
import { base, changes, rows, writes } from '../test/online/changes.ts';
import { planBetween } from '../test/online/stage.ts';
import { applyBusily, goBack, type Outcome } from '../test/online/try-change.ts';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    rows: { type: 'string', default: '1000000' },
    writers: { type: 'string', default: '8' },
    only: { type: 'string', default: '' },
  },
});
const url = values.url ?? process.env['DATABASE_URL'];
if (url === undefined)
  throw new Error('Give --url or DATABASE_URL: a server where databases may be created.');

const admin = new Client({ connectionString: url });
await admin.connect();
const made: string[] = [];

async function database(name: string, sql: string): Promise<{ readonly url: string; readonly pool: Pool }> {
  await admin.query(`CREATE DATABASE ${name}`);
  made.push(name);
  const at = new URL(url ?? '');
  at.pathname = `/${name}`;
  const pool = new Pool({ connectionString: at.href, max: 4 });
  pool.on('error', () => undefined);
  await pool.query(sql);
  return { url: at.href, pool };
}

const prefix = `holdfast_bench_${process.pid}`;
const pools: Pool[] = [];
try {
  const busy = await database(prefix, base);
  pools.push(busy.pool);
  const since = performance.now();
  await busy.pool.query(rows(Number(values.rows)));
  process.stdout.write(
    `${values.rows} rows a table in ${((performance.now() - since) / 1000).toFixed(0)} s, ${values.writers} writers\n`,
  );
  process.stdout.write(
    `${'change'.padEnd(46)} way      steps  apply ms  longest stall ms   writes  refused\n`,
  );
  for (const [at, change] of changes.filter(({ name }) => name.includes(values.only)).entries()) {
    const one = await database(`${prefix}_${at}_without`, `${base}; ${change.without}`);
    const other = await database(`${prefix}_${at}_with`, `${base}; ${change.with}`);
    const taken = [];
    const goals = change.without === '' ? [other, one] : [one, other, one];
    for (const goal of goals) {
      const plan = await planBetween(busy.pool, goal.pool);
      const outcome = await applyBusily(
        change.name,
        { plan, url: busy.url },
        { writers: Number(values.writers), writes },
      );
      report(outcome, goal === other ? 'there' : 'from');
      taken.push(plan);
    }
    for (const plan of taken.reverse()) {
      await undo(change.name, plan, busy);
    }
    for (const goal of [one, other]) await goal.pool.end();
    for (const name of made.splice(1)) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
} finally {
  for (const pool of pools) await pool.end();
  for (const name of made) await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end();
}

async function undo(
  name: string,
  plan: Plan,
  busy: { readonly url: string; readonly pool: Pool },
): Promise<void> {
  const back = await goBack(plan, busy);
  if (!back) process.stdout.write(`${name}: THE WAY BACK ENDS IN ANOTHER STRUCTURE\n`);
}

function report(outcome: Outcome, way: string): void {
  const cells = [
    outcome.name.padEnd(46),
    way.padEnd(8),
    String(outcome.steps).padStart(5),
    outcome.durationMs.toFixed(0).padStart(9),
    outcome.longestStallMs.toFixed(0).padStart(17),
    String(outcome.writes).padStart(8),
    `  ${outcome.refused.length === 0 ? '0' : outcome.refused.join('; ')}`,
    outcome.lies.length === 0 && outcome.endsAsPlanned ? '' : '  NOT AS PLANNED',
  ];
  process.stdout.write(`${cells.join(' ')}\n`);
}
