// Tries one change on a database that others write to: forward, the reverse as a plan of its own, and both rolled back.
// Every claim of a step about its locks is held against pg_locks, and every writer's longest wait is measured.
import { Client, Pool } from 'pg';
import { apply } from '../../src/build/apply.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { rollback } from '../../src/build/rollback.ts';
import { stopsWriters, strongerLock } from '../../src/build/locks.ts';
import type { Plan } from '../../src/build/step.ts';
import type { LockMode } from '../../src/define/trait.ts';
import type { StepKey } from '../../src/ledger/index.ts';

/** What came out of one apply with writers beside it. */
export interface Outcome {
  readonly name: string;
  readonly steps: number;
  readonly durationMs: number;
  readonly longestStallMs: number;
  readonly writes: number;
  /** Errors the writers saw. */
  readonly refused: readonly string[];
  /** Where a step's claim and pg_locks differ. */
  readonly lies: readonly string[];
  readonly endsAsPlanned: boolean;
}

/** Applies a plan while `writers` sessions write. */
export async function applyBusily(
  name: string,
  { plan, url }: { readonly plan: Plan; readonly url: string },
  { writers, writes }: { readonly writers: number; readonly writes: readonly string[] },
): Promise<Outcome> {
  const crowd = await startWriters(url, writers, writes);
  const notary = await openNotary(url, plan);
  const allowDataLoss = plan.steps.flatMap(({ loses }) => (loses === null ? [] : [loses.object]));
  const since = performance.now();
  try {
    const applied = await apply(plan, url, {
      allowDataLoss,
      onBoundary: (boundary, key) => (boundary === 'between' ? notary.look(key) : undefined),
    });
    const durationMs = performance.now() - since;
    const told = await crowd.stop();
    return {
      name,
      steps: plan.steps.length,
      durationMs,
      ...told,
      lies: notary.lies(),
      endsAsPlanned: applied.endsAsPlanned,
    };
  } finally {
    await crowd.stop();
    await notary.close();
  }
}

/** Rolls the newest plan back and tells whether the structure is the one it started from. */
export async function goBack(
  plan: Plan,
  { url, pool }: { readonly url: string; readonly pool: Pool },
): Promise<boolean> {
  const allowDataLoss = plan.steps.flatMap(({ back }) =>
    (back ?? []).flatMap(({ loses }) => loses?.object ?? []),
  );
  await rollback(url, { to: 'previous', allowDataLoss });
  return (await fingerprint(pool)) === plan.from;
}

/** Indexes that no query may use: there must be none after any of this. */
export async function invalidIndexes(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid`,
  );
  return rows.map(({ name }) => name);
}

/** Sessions that write until they are stopped. */
export interface Crowd {
  /** Ends them; tells the longest a statement took, in milliseconds, how many went through, and what was refused. */
  readonly stop: () => Promise<Pick<Outcome, 'longestStallMs' | 'writes' | 'refused'>>;
}

/** Starts `count` sessions, each sending the statements over and over, beginning with another of them. */
export async function startWriters(url: string, count: number, writes: readonly string[]): Promise<Crowd> {
  const crowd = { going: true };
  let longestStallMs = 0;
  let done = 0;
  const refused = new Set<string>();
  const write = async (client: Client, offset: number): Promise<void> => {
    for (let turn = offset; crowd.going; turn += 1) {
      const since = performance.now();
      try {
        await client.query(writes[turn % writes.length] ?? '');
        done += 1;
      } catch (error) {
        refused.add(error instanceof Error ? error.message : String(error));
      }
      longestStallMs = Math.max(longestStallMs, performance.now() - since);
    }
  };
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = new Client(url);
      await client.connect();
      return client;
    }),
  );
  const running = clients.map((client, at) => write(client, at));
  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    crowd.going = false;
    await Promise.all(running);
    await Promise.all(clients.map((client) => client.end()));
  };
  return {
    stop: async () => {
      await (ended ??= end());
      return { longestStallMs, writes: done, refused: [...refused] };
    },
  };
}

interface Notary {
  readonly look: (key: StepKey) => Promise<void>;
  readonly lies: () => readonly string[];
  readonly close: () => Promise<void>;
}

// Tables that were there before, and indexes that others see by now; what belongs to the server, the ledger or a table itself is not claimed.
const BEFORE_SQL = `SELECT c.oid::int8 AS oid, n.nspname || '.' || c.relname AS name, c.relkind AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'holdfast') AND c.relkind <> 'c'`;
const LOCKS_SQL = `SELECT l.relation::int8 AS oid, i.relname AS index, upper(regexp_replace(replace(l.mode, 'Lock', ''), '([a-z])([A-Z])', '\\1 \\2', 'g')) AS mode
  FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class i ON i.oid = l.relation AND i.relkind IN ('i', 'I')
  WHERE l.locktype = 'relation' AND l.granted AND a.application_name = 'holdfast apply' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

async function openNotary(url: string, plan: Plan): Promise<Notary> {
  const client = new Client(url);
  await client.connect();
  const before = await client.query<{ oid: string; name: string; kind: string }>(BEFORE_SQL);
  const names = new Map(before.rows.map(({ oid, name, kind }) => [oid, { name, kind }]));
  const found = new Set<string>();
  return {
    look: async ({ number }) => {
      const step = plan.steps[number - 1];
      if (step?.transactional !== true) return;
      const group = plan.steps.filter(
        (other) => other === step || (step.group !== undefined && other.group === step.group),
      );
      const claimed = group.reduce<LockMode>((mode, other) => strongerLock(mode, other.lock), 'NONE');
      const on = new Set(group.flatMap(({ locks }) => locks));
      const { rows } = await client.query<{ oid: string; mode: string; index: string | null }>(LOCKS_SQL);
      let actual: LockMode = 'NONE';
      for (const { oid, mode, index } of rows) {
        const relation = names.get(oid) ?? (index === null ? undefined : { name: index, kind: 'i' });
        if (relation === undefined) continue;
        if (!isStrong(mode as LockMode)) continue;
        actual = strongerLock(actual, mode as LockMode);
        const listed =
          step.sql.startsWith('ALTER DOMAIN') ||
          on.has(relation.name) ||
          relation.kind === 'i' ||
          relation.kind === 'I' ||
          relation.kind === 'S';
        if (!listed)
          found.add(`${step.sql}: ${mode} on ${relation.name} is not listed in ${[...on].join(', ')}`);
      }
      const said = isStrong(claimed) ? claimed : 'NONE';
      if (said !== actual)
        found.add(`${group.map(({ sql }) => sql).join('; ')}: claims ${claimed}, takes ${actual}`);
    },
    lies: () => [...found],
    close: () => client.end(),
  };
}

/** Anything above what every reader and writer takes. */
function isStrong(mode: LockMode): boolean {
  return stopsWriters(mode) || mode === 'SHARE UPDATE EXCLUSIVE';
}
