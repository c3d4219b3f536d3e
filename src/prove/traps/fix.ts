// Mends become a plan: a copy of the target on which they ran is the goal, and the ordinary planner finds the way there,
// online and rehearsed forward and back. What it cannot carry out is said beside it.
import type { Pool, PoolClient } from 'pg';
import { type Plan, planAlteration, type PlanOptions } from '../../build/index.ts';
import type { Settlement } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { withClient } from '../../server/index.ts';
import { qualified } from '../../sql.ts';
import type { Severity } from './check.ts';
import type { Finding, Traps } from './find.ts';
import { partitionSettlement } from './fix-partitions.ts';

/** Defaults of {@link FixOptions}. */
export const fixDefaults = { severities: ['error', 'warning'] } as const;

export interface FixOptions extends PlanOptions {
  /** Which findings to mend: what is only worth knowing is left to people. */
  readonly severities?: readonly Severity[];
}

/**
 * Plans the mends of findings. The target is only read; the plan is one that `apply` carries out and `rollback` takes
 * back. Findings that were accepted are left alone.
 * @param url the database the findings are of
 * @param traps what was found there
 * @returns the plan; its notes name each mend that is not in it, with the reason and the statement
 * @throws HoldfastError as `plan` does when no scratch database can be had or the structure cannot be copied
 */
export async function planFixes(
  url: string,
  traps: Pick<Traps, 'findings'>,
  options: FixOptions,
): Promise<Plan> {
  const severities = options.severities ?? fixDefaults.severities;
  const findings = traps.findings
    .filter(({ accepted, severity }) => accepted === undefined && severities.includes(severity))
    .toSorted((a, b) => Number(rewrites(b)) - Number(rewrites(a)));
  const sorted = sort(findings, await partitionNames(url));
  const tried = await plannable({ url, options, ...sorted }, sorted.structural);
  const beside = [...sorted.beside, ...tried.beside];
  return { ...tried.plan, notes: [...tried.plan.notes, ...beside.map(note)] };
}

// A function made anew has the settings it is made with: what other mends give it must come after.
function rewrites({ mend }: Finding): boolean {
  return mend.some((statement) => statement.startsWith('CREATE OR REPLACE '));
}

/** A mend that is in no plan. */
interface Beside {
  readonly finding: Finding;
  readonly why: string;
}

interface Sorted {
  /** Mends that change what the planner compares. */
  readonly structural: readonly Finding[];
  /** Mends of partitions, which are run-time state: they run as they are. */
  readonly runtime: readonly Finding[];
  readonly beside: readonly Beside[];
}

/** Statements whose effect is no structure of this database. */
const BY_HAND =
  /^\s*(?:ANALYZE|VACUUM|REINDEX|REFRESH|CLUSTER|SELECT|INSERT|UPDATE|DELETE|ALTER\s+(?:SYSTEM|DATABASE|ROLE|USER)|DROP\s+(?:ROLE|USER)|REASSIGN)\b/i;

function sort(findings: readonly Finding[], partitions: readonly string[]): Sorted {
  const told: Beside[] = [];
  const structural: Finding[] = [];
  const runtime: Finding[] = [];
  for (const finding of findings) {
    const statement = finding.mend.find((one) => BY_HAND.test(one));
    if (finding.mend.length === 0) told.push({ finding, why: `no statement mends it. ${finding.advice}` });
    else if (statement !== undefined)
      told.push({ finding, why: 'it is run by hand, since it changes no structure of the database' });
    else if (finding.mend.some((one) => ofPartition(one, partitions))) runtime.push(finding);
    else structural.push(finding);
  }
  return { structural, runtime, beside: told };
}

function ofPartition(statement: string, partitions: readonly string[]): boolean {
  return (
    /\b(?:ATTACH|DETACH)\s+PARTITION\b/i.test(statement) ||
    partitions.some((name) => statement.includes(name))
  );
}

const PARTITIONS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relispartition AND c.relkind IN ('r', 'p')`;

async function partitionNames(url: string): Promise<readonly string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ schema: string; name: string }>(PARTITIONS_SQL);
    return rows.map((row) => qualified(row));
  });
}

interface Fixing {
  readonly url: string;
  readonly options: FixOptions;
  readonly runtime: readonly Finding[];
}

interface Tried {
  readonly plan: Plan;
  readonly beside: readonly Beside[];
}

/** What the planner refuses because of one mend must not cost the others theirs. */
const ONE_MEND = new Set([
  'HF_REHEARSAL',
  'HF_REHEARSAL_STEP',
  'HF_NOT_MANAGED',
  'HF_PLANNER',
  'HF_REPLACES_TABLE',
]);

async function plannable(fixing: Fixing, mends: readonly Finding[]): Promise<Tried> {
  try {
    return await tryPlan(fixing, mends);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !ONE_MEND.has(error.code)) throw error;
    if (mends.length + fixing.runtime.length === 0) throw error;
    const named = mends.filter((finding) => isNamed(finding, error));
    const refused =
      named.length > 0
        ? named.map((finding) => ({ finding, why: cannot(error) }))
        : await allRefused(fixing, mends);
    if (refused.length === 0) throw error;
    const out = new Set(refused.map(({ finding }) => finding));
    const left = (finding: Finding): boolean => !out.has(finding);
    const rest = { ...fixing, runtime: fixing.runtime.filter(left) };
    const tried = await plannable(rest, mends.filter(left));
    return { ...tried, beside: [...refused, ...tried.beside] };
  }
}

/**
 * The object that the planner stumbled over is one that this mend speaks of (`statistics shop.pair`), or the rehearsal
 * names the finding's own; where grants are the matter, only mends that grant and revoke are meant.
 */
function isNamed({ mend, subject }: Finding, error: HoldfastError): boolean {
  const about = error.subject;
  const name = about.slice(Math.max(about.lastIndexOf('.'), about.lastIndexOf(' ')) + 1);
  const grants = /, grants: | is to be taken from /.test(error.what);
  if (grants && !mend.some((sql) => /\b(?:GRANT|REVOKE)\b/.test(sql))) return false;
  if (about !== 'the plan') return mend.some((sql) => sql.split(/[^\w$]+/).includes(name));
  return error.what.includes(subject);
}

function cannot(error: HoldfastError): string {
  return `it cannot be planned: ${error.what}`;
}

async function allRefused(fixing: Fixing, mends: readonly Finding[]): Promise<readonly Beside[]> {
  return [...(await refusedOf({ ...fixing, runtime: [] }, mends)), ...(await refusedRuntime(fixing))];
}

/** Halves until the mends are found that no plan can hold. */
async function refusedOf(fixing: Fixing, mends: readonly Finding[]): Promise<readonly Beside[]> {
  const [only] = mends;
  if (only === undefined) return [];
  const why = await refusal(fixing, mends);
  if (why === undefined) return [];
  if (mends.length === 1) return [{ finding: only, why }];
  const half = Math.ceil(mends.length / 2);
  return [
    ...(await refusedOf(fixing, mends.slice(0, half))),
    ...(await refusedOf(fixing, mends.slice(half))),
  ];
}

async function refusedRuntime(fixing: Fixing): Promise<readonly Beside[]> {
  const refused: Beside[] = [];
  for (const finding of fixing.runtime) {
    const why = await refusal({ ...fixing, runtime: [finding] }, []);
    if (why !== undefined) refused.push({ finding, why });
  }
  return refused;
}

async function refusal(fixing: Fixing, mends: readonly Finding[]): Promise<string | undefined> {
  try {
    await tryPlan(fixing, mends);
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError && ONE_MEND.has(error.code)) return cannot(error);
    throw error;
  }
}

const INDEX = /^CREATE (?:UNIQUE )?INDEX\b/;

async function tryPlan({ url, options, runtime }: Fixing, mends: readonly Finding[]): Promise<Tried> {
  const beside: Beside[] = [];
  const plan = await planAlteration(
    {
      alter: async (goal) => {
        const indexes = new Set<string>();
        for (const finding of mends) {
          // Two findings may ask for one index; made twice it would stand there twice, under two names.
          const mend = finding.mend.filter((statement) => !indexes.has(statement));
          const why = await mendOn(goal, { ...finding, mend });
          if (why !== undefined) beside.push({ finding, why });
          else mend.filter((statement) => INDEX.test(statement)).forEach((one) => indexes.add(one));
        }
      },
      settle: async ({ query }) => {
        const settlements: Settlement[] = [];
        for (const finding of runtime) {
          const settlement = await partitionSettlement(query, finding);
          if (settlement !== undefined) settlements.push(settlement);
        }
        return settlements;
      },
    },
    url,
    options,
  );
  return { plan, beside };
}

/** Runs one finding's mends on the copy, all or none; the words of what was refused. */
async function mendOn(goal: Pool, finding: Finding): Promise<string | undefined> {
  const client = await goal.connect();
  try {
    await client.query('BEGIN');
    await runAll(client, finding.mend);
    await client.query('COMMIT');
    return undefined;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    return `on a copy without rows PostgreSQL refuses it: ${(error as Error).message}`;
  } finally {
    client.release();
  }
}

// Nobody else is in the copy: what is concurrent for others' sake can run in a transaction there.
async function runAll(client: PoolClient, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    await client.query(statement.replace(/^(CREATE (?:UNIQUE )?INDEX|DROP INDEX) CONCURRENTLY /, '$1 '));
  }
}

function note({ finding, why }: Beside): string {
  const statements = finding.mend.length === 0 ? '' : `: ${finding.mend.join('; ')}`;
  return `${finding.code} ${finding.subject}: not in the plan, ${why.replace(/\.$/, '')}${statements}.`;
}
