// `npm run bench:online [-- --rows 1000000 --writers 8 --only index --json]`: every change of the online table, there
// and back again, on big tables with writers beside it. Each plan is rehearsed forward and back before it is applied;
// what is printed is how long a writer had to wait at most. Takes the superuser's connection string of --url or
// BENCH_URL, or starts a server of its own in a temporary folder.
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Pool } from 'pg';
import { extract, managedKeys } from '../src/build/engine/index.ts';
import { planLowered } from '../src/build/plan.ts';
import type { Plan } from '../src/build/step.ts';
import { wanted } from '../test/build/wanted.ts';
import { base as structure, changes, rows, writes, type Change } from '../test/online/changes.ts';
import { applyBusily, startWriters } from '../test/online/try-change.ts';
import { describeMachine, openServer } from './machine.ts';

const ALONE_MS = 5_000;
// The writers find their rows by an index, so that what they wait for is the change and not their own scan.
const base = `${structure} CREATE INDEX part_id ON shop.part (id);`;
const NOW = new Date('2026-03-15T12:00:00Z');

/** One plan that was applied beside the writers. */
interface Result {
  readonly change: string;
  readonly way: 'there' | 'back';
  readonly steps: number;
  /** A table is written anew, as the plan says: writers wait. */
  readonly rewrite: boolean;
  /** Whether the rehearsal went back to where it started; a plan that cannot says so. */
  readonly rehearsedBack: boolean;
  readonly seconds: number;
  readonly longestStallMs: number;
  readonly writes: number;
  readonly refused: readonly string[];
  /** What was not as the plan said. */
  readonly wrong: readonly string[];
}

/** A server with a database that holds base and rows, of which every change gets a copy. */
interface Bench {
  readonly url: string;
  readonly admin: Client;
  readonly seeded: string;
}

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    rows: { type: 'string', default: '1000000' },
    writers: { type: 'string', default: '8' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const writers = Number(options.writers);
const chosen = changes.filter(({ name }) => name.includes(options.only));
if (chosen.length === 0) {
  process.stderr.write(`No change's name has '${options.only}' in it.\n`);
  process.exitCode = 2;
} else {
  await bench();
}

async function bench(): Promise<void> {
  const server = await openServer(options.url ?? process.env['BENCH_URL']);
  const admin = new Client({ connectionString: server.url });
  try {
    const began = performance.now();
    await admin.connect();
    const on: Bench = { url: server.url, admin, seeded: `holdfast_bench_${process.pid}` };
    const about = { ...(await describeMachine(server.url)), rows: options.rows, writers: options.writers };
    for (const [key, value] of Object.entries(about)) tell(`${key}: ${value}`);
    await create(on.seeded, on, 'template0');
    try {
      const alone = await seed(on);
      const results: Result[] = [];
      for (const change of chosen) {
        results.push(...(await tried(change, on)));
      }
      conclude(results, { about, alone, seconds: (performance.now() - began) / 1000 });
    } finally {
      await admin.query(`DROP DATABASE ${on.seeded} WITH (FORCE)`);
    }
  } finally {
    await admin.end();
    await server.stop();
  }
}

/** Fills the seeded database and measures the writers with nothing beside them, in a copy of it. */
async function seed(on: Bench): Promise<number> {
  const since = performance.now();
  await inside(on.seeded, on, async (pool) => {
    await pool.query(base);
    await pool.query(rows(Number(options.rows)));
    await pool.query('VACUUM (ANALYZE)');
  });
  const name = `${on.seeded}_alone`;
  await create(name, on, on.seeded);
  const crowd = await startWriters(within(name, on), writers, writes);
  await pause(ALONE_MS);
  const { longestStallMs } = await crowd.stop();
  await on.admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  tell(`${options.rows} rows in each of two tables, ready after ${seconds(performance.now() - since)} s`);
  tell(`longest wait of ${writers} writers with no change beside them: ${longestStallMs.toFixed(0)} ms\n`);
  tell(`${'change'.padEnd(40)} way    steps  seconds  longest stall ms   writes  refused`);
  return longestStallMs;
}

/** A change and its reverse in a copy of the seeded database; the second is what drops or undoes the first. */
async function tried(change: Change, on: Bench): Promise<Result[]> {
  const name = `${on.seeded}_change`;
  await create(name, on, on.seeded);
  const results: Result[] = [];
  try {
    const previous = await inside(name, on, async (pool) => {
      if (change.without !== '') await pool.query(change.without);
      return managedKeys(await extract(pool));
    });
    const ways = [
      { way: 'there', sql: change.with, known: { previous } },
      { way: 'back', sql: change.without, known: {} },
    ] as const;
    for (const { way, sql, known } of ways) {
      const url = within(name, on);
      const result = await planLowered(wanted([base, sql]), url, { now: NOW, ...known })
        .then((plan) => applied(change, way, { plan, url }))
        .catch((error: unknown) => failed(change, way, error));
      results.push(result);
      report(result);
    }
  } finally {
    await on.admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
  return results;
}

async function applied(
  change: Change,
  way: Result['way'],
  { plan, url }: { readonly plan: Plan; readonly url: string },
): Promise<Result> {
  const also = change.reads === undefined ? [] : [change.reads];
  const outcome = await applyBusily(change.name, { plan, url }, { writers, writes: [...writes, ...also] });
  return {
    change: change.name,
    way,
    steps: outcome.steps,
    rewrite: plan.steps.some(({ work }) => work === 'rewrite'),
    rehearsedBack: plan.rehearsal.back === 'equal',
    seconds: outcome.durationMs / 1000,
    longestStallMs: outcome.longestStallMs,
    writes: outcome.writes,
    refused: outcome.refused,
    wrong: [
      ...outcome.lies,
      ...(outcome.endsAsPlanned ? [] : ['the apply ends in another structure than planned']),
      ...(plan.steps.length > 0 ? [] : ['the plan has no steps']),
    ],
  };
}

/** One change that fails is told with the others' results, and does not end them. */
function failed(change: Change, way: Result['way'], error: unknown): Result {
  const none = { steps: 0, rewrite: false, rehearsedBack: false, seconds: 0, longestStallMs: 0, writes: 0 };
  return { change: change.name, way, ...none, refused: [], wrong: [String(error)] };
}

function report(result: Result): void {
  const cells = [
    result.change.padEnd(40),
    result.way.padEnd(5),
    String(result.steps).padStart(6),
    result.seconds.toFixed(1).padStart(8),
    result.longestStallMs.toFixed(0).padStart(17),
    String(result.writes).padStart(8),
    String(result.refused.length).padStart(8),
    result.rewrite ? '  rewrite' : '',
    result.rehearsedBack ? '' : '  cannot go back',
  ];
  tell(cells.join(' ').trimEnd());
  for (const line of result.refused) tell(`    refused: ${line}`);
  for (const line of result.wrong) tell(`    WRONG: ${line}`);
}

function conclude(
  results: readonly Result[],
  run: { readonly about: Readonly<Record<string, string>>; readonly alone: number; readonly seconds: number },
): void {
  const online = longest(results.filter(({ rewrite }) => !rewrite));
  const rewriting = longest(results.filter(({ rewrite }) => rewrite));
  const refused = results.reduce((sum, one) => sum + one.refused.length, 0);
  const wrong = results.filter((one) => one.wrong.length > 0).length;
  tell(
    `\n${chosen.length} changes, ${results.length} plans rehearsed and applied in ${run.seconds.toFixed(0)} s`,
  );
  tell(`longest stall: ${said(online)}; where a table is rewritten: ${said(rewriting)}`);
  tell(`refused writes: ${refused}; plans that were not as they said: ${wrong}`);
  if (options.json) {
    const { about, alone, seconds: total } = run;
    const summary = { online, rewriting, refused, wrong, aloneMs: alone, seconds: total };
    process.stdout.write(`${JSON.stringify({ machine: about, results, summary }, null, 2)}\n`);
  }
  if (refused > 0 || wrong > 0) process.exitCode = 1;
}

function longest(results: readonly Result[]): Result | undefined {
  return [...results].sort((one, other) => other.longestStallMs - one.longestStallMs)[0];
}

function said(result: Result | undefined): string {
  return result === undefined
    ? 'none'
    : `${result.longestStallMs.toFixed(0)} ms (${result.change}, ${result.way})`;
}

/** FILE_COPY: a big template's files are copied, where WAL_LOG would write every page of it to the log. */
async function create(name: string, on: Bench, template: string): Promise<void> {
  await on.admin.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
}

async function inside<T>(name: string, on: Bench, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = new Pool({ connectionString: within(name, on), max: 2 });
  pool.on('error', () => undefined);
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

function within(name: string, on: Bench): string {
  const url = new URL(on.url);
  url.pathname = `/${name}`;
  return url.href;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}

function tell(line: string): void {
  if (!options.json) process.stdout.write(`${line}\n`);
}
