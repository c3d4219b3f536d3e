// A plan is run forward and back on a scratch copy before anybody sees it, and both ends are judged by a reader that is
// not the planner: the planner's own "nothing left to do" has been caught wrong.
import type { Pool } from 'pg';
import { HoldfastError } from '../error.ts';
import { ident, qualified } from '../sql.ts';
import { catalogueDump, lineKey, type Dump, type DumpLine } from './catalogue-dump.ts';
import { forward, reading, runAlone, waysBack, type Runnable } from './catalogue-session.ts';
import { compare, tell, type Difference } from './compare.ts';
import { elaborate, extract, type Facts, type Ownership } from './engine/index.ts';
import { createPartitionSql, dropPartitions, partitionsOf, type Partition } from './partitions.ts';
import { compareTexts, type DumpReader, type DumpText } from './pg-dump.ts';
import type { Step } from './step.ts';
import { numbered, type StepDraft } from './steps.ts';
import { lacksAttribute } from './unmanaged.ts';

/** What a rehearsal needs. */
export interface Rehearsal {
  /** The copy of the target's structure; the plan runs here. */
  readonly copy: Pool;
  /** pg_dump, where the machine has one that fits. */
  readonly dumped?: { readonly read: DumpReader; readonly copyUrl: string; readonly goalUrl: string };
  /** The database the definition was loaded in, and what was read of it. */
  readonly goal: { readonly pool: Pool; readonly facts: Facts };
  readonly ownership: Ownership;
  /** Objects that stay though the definition does not know them, as the dump names them. */
  readonly kept: readonly string[];
  /** The goal says nothing of partitions: what a partition is, and was before, is no difference. */
  readonly partitionsAsTheyAre: boolean;
  /** Structural steps, in order. */
  readonly steps: readonly StepDraft[];
  /** Asks the traits what is missing, once the structure is there. */
  readonly settle: (copy: Pool) => Promise<readonly (readonly StepDraft[])[]>;
  /** Asks which partitions lack their parent's protection. */
  readonly mend: (copy: Pool) => Promise<readonly StepDraft[]>;
}

/** A rehearsed list of steps. */
export interface Rehearsed {
  readonly steps: readonly Step[];
  readonly start: Dump;
  readonly end: Dump;
  readonly back: 'equal' | 'not-possible';
  /** The stronger of the readers that judged the ends; the catalogue always did. */
  readonly comparedBy: 'pg_dump' | 'catalogue';
}

/**
 * Runs steps forward on the copy, settles and mends, compares with the goal, runs back and compares with the start.
 * @returns every step, those of settling and mending included, with both ends as they were read
 * @throws HoldfastError HF_REHEARSAL when an end is not what it should be, HF_NOT_MANAGED when the definition holds a
 *   kind of object the planner cannot make, HF_REHEARSAL_STEP when a statement fails
 */
export async function rehearse(given: Rehearsal): Promise<Rehearsed> {
  const start = await catalogueDump(given.copy);
  const startText = await textOf(given);
  await runAlone(given.copy, forward(given.steps));
  const settled = await given.settle(given.copy);
  for (const list of settled) await runAlone(given.copy, forward(list));
  const mended = await given.mend(given.copy);
  await runAlone(given.copy, forward(mended));
  const steps = numbered(given.steps, ...settled, mended);

  const end = await catalogueDump(given.copy);
  await refuseUnequalGoal(given, start, end);
  await refuseUnequalText(given);
  const back = await runBack(given.copy, steps, start);
  if (back === 'equal' && startText !== undefined) {
    const broken = start.some((line) => line.value.startsWith('INVALID'));
    const differences = compareTexts((await textOf(given)) ?? startText, startText, () => !broken);
    if (differences.length > 0) throw unequal('the way back', tell(differences, BACK));
  }
  return { steps, start, end, back, comparedBy: startText === undefined ? 'catalogue' : 'pg_dump' };
}

const BACK = { left: 'after it', right: 'before the plan' };
const FORWARD = { left: 'after the plan', right: 'in the definition' };

async function textOf({ dumped, copy }: Rehearsal): Promise<DumpText | undefined> {
  // What a partition's own indexes are called is chance; what they are, the catalogue compares.
  return dumped?.read({ url: dumped.copyUrl, without: await reading(copy, partitionsOf) });
}

/** What pg_dump prints of the forward end and of the goal; partitions and what is left alone are none of the goal's. */
async function refuseUnequalText(given: Rehearsal): Promise<void> {
  const { dumped, copy, ownership } = given;
  if (dumped === undefined) return;
  const without = await reading(copy, partitionsOf);
  const end = await dumped.read({ url: dumped.copyUrl, anonymous: true, without });
  const goal = await dumped.read({ url: dumped.goalUrl, anonymous: true });
  const differences = compareTexts(end, goal, (key, _, wanted) => {
    if (/^(COMMENT|SCHEMA) .*\bpublic$/.test(key) && !ownership.publicTouched) return false;
    // What only the server has is judged by the catalogue, which knows what stays.
    return wanted !== undefined;
  });
  if (differences.length > 0) throw unequal('the forward run', tell(differences, FORWARD));
}

async function refuseUnequalGoal(given: Rehearsal, start: Dump, end: Dump): Promise<void> {
  const still = await given.mend(given.copy);
  const [unmended] = still;
  if (unmended !== undefined) {
    throw unequal('the forward run', `${unmended.subject} still needs ${unmended.sql}`);
  }
  let differences = compare(end, await goalDump(given), counting(given, start));
  if (differences.some((one) => one.textOnly)) {
    const { facts, pool } = given.goal;
    await elaborate({
      scratch: pool,
      goal: facts,
      found: await extract(given.copy),
      ownership: given.ownership,
    });
    differences = compare(end, await goalDump(given), counting(given, start));
  }
  if (differences.length > 0) throw notReached(differences);
}

/**
 * The goal with the copy's partitions: made by PostgreSQL itself, so that they have what a partition should have. They
 * go again, because an index of the goal may still be made anew.
 */
async function goalDump({ copy, goal }: Rehearsal): Promise<Dump> {
  const partitions = await known(goal.pool, await reading(copy, partitionsOf));
  const statements = partitions.map((partition) => ({
    sql: createPartitionSql(partition),
    subject: `partition ${partition.schema}.${partition.name}`,
  }));
  const schemas = [...new Set(partitions.map((partition) => partition.schema))];
  await runAlone(goal.pool, apart([...schemas.map(schemaStatement), ...statements]));
  const dump = await catalogueDump(goal.pool);
  await dropPartitions(goal.pool, partitions);
  return dump;
}

const TABLES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p'`;

/** Partitions of tables that a database has; the target may have others, which the definition leaves alone. */
async function known(pool: Pool, partitions: readonly Partition[]): Promise<readonly Partition[]> {
  const { rows } = await pool.query<{ schema: string; name: string }>(TABLES_SQL);
  const there = new Set(rows.map((row) => qualified(row)));
  return partitions.filter((partition) => {
    const has = there.has(qualified(partition.parent));
    if (has) there.add(qualified(partition));
    return has;
  });
}

/** One transaction each: many partitions in one would need more locks than a server has by default. */
function apart(statements: readonly Runnable[]): readonly (readonly Runnable[])[] {
  return statements.map((statement) => [statement]);
}

function schemaStatement(name: string): { sql: string; subject: string } {
  return { sql: `CREATE SCHEMA IF NOT EXISTS ${ident(name)}`, subject: `schema ${name}` };
}

/** Kinds that are only ever added by name: one on the server that the definition does not have stays as it is. */
const LEFT_ALONE = [
  'cast ',
  'operator ',
  'text search ',
  'statistics ',
  'language ',
  'transform ',
  'conversion ',
  'access method ',
  'default privileges of ',
  'extension ',
];

/** Which lines of the forward end and the goal must agree. */
function counting(given: Rehearsal, start: Dump): (line: DumpLine, other?: DumpLine) => boolean {
  const kept = new Set(given.kept);
  const before = new Map(start.map((line) => [lineKey(line), line]));
  const { user } = given.goal.facts;
  return (line, other) => {
    if (line.extra || other?.extra === true) return false;
    if (kept.has(line.object) || kept.has(`schema ${line.schema ?? ''}`)) return false;
    // An owner the definition does not name is whoever made the object.
    if (line.facet === 'owner' && (other ?? line).value === user) return false;
    if (line.object === 'schema public' && !given.ownership.publicTouched) return false;
    const was = before.get(lineKey(line));
    const unchanged = was?.value === line.value;
    if (given.partitionsAsTheyAre && line.partition && unchanged && was.text === line.text) return false;
    return !(other === undefined && unchanged && LEFT_ALONE.some((kind) => line.object.startsWith(kind)));
  };
}

async function runBack(copy: Pool, steps: readonly Step[], start: Dump): Promise<'equal' | 'not-possible'> {
  if (steps.some((step) => step.back === null)) return 'not-possible';
  await runAlone(copy, waysBack(steps));
  const broken = new Set(start.filter((line) => line.value.startsWith('INVALID')).map((line) => line.facet));
  // An index that was broken before comes back whole: nobody wants the ruin restored.
  const differences = compare(await catalogueDump(copy), start, (line) => !broken.has(line.facet));
  if (differences.length > 0) {
    throw unequal('the way back', tell(differences, BACK));
  }
  return 'equal';
}

function notReached(differences: readonly Difference[]): HoldfastError {
  const lacking = differences.filter(
    (one) => one.left === undefined && LEFT_ALONE.some((kind) => one.object.startsWith(kind)),
  );
  const told = tell(differences, FORWARD);
  if (differences.every(lacksAttribute)) {
    return new HoldfastError({
      code: 'HF_NOT_MANAGED',
      subject: differences[0]?.object ?? 'an object',
      what: `the definition has what Holdfast cannot plan: ${told}.`,
      fix: 'Leave it out of the definition and set it by hand on the server, where plans leave it alone.',
    });
  }
  if (lacking.length === 0) return unequal('the forward run', told);
  const [first] = lacking;
  return new HoldfastError({
    code: 'HF_NOT_MANAGED',
    subject: first?.object ?? 'an object',
    what: 'the definition makes it, and Holdfast cannot yet plan objects of this kind.',
    fix: 'Make it by hand on the server, exactly as the definition has it; the plan then finds nothing to do for it.',
  });
}

function unequal(which: string, told: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_REHEARSAL',
    subject: 'the plan',
    what: `${which} on a scratch copy does not end where it should: ${told}.`,
    fix: 'The plan was not shown and nothing was changed. Please report it with the definition of the objects named.',
  });
}
