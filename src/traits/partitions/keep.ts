// What happens to partitions over time: those ahead are made, all are mended to their table, indexes come and go with
// age, statistics are gathered. Every table is a task of its own: one that fails keeps no other from its partitions.
import type { Done, JobSettings, Kept, Task, TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { Settlement } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { carryOut, type Change, ofTheTable, onItsOwn } from './change.ts';
import { hotSettlements } from './hot.ts';
import { boundText, holes } from './period.ts';
import type { Standing } from './reading.ts';
import { type Round, roundOf } from './round.ts';
import { type Asked, missing } from './settle.ts';

/** The jobs these tasks hang on where the options name no other. */
export const jobNames = { partitions: 'partitions', indexes: 'hot-indexes', analyze: 'analyze' } as const;

/**
 * The tasks of one table. Indexes are built in a job of their own, so that a build, which waits for old transactions,
 * never stands between another table and its next partition.
 */
export function kept(asked: Asked): Kept {
  const { of, options } = asked;
  const job = options.job ?? jobNames.partitions;
  const hot = options.hot?.indexes.length ?? 0;
  const task = (on: string, what: string, run: Task['run']): Task => ({
    job: on,
    trait: 'partitions',
    subject: `${what} of ${label(of)}`,
    run,
  });
  return {
    jobs: {
      [jobNames.partitions]: daily('10 0 * * *'),
      [jobNames.indexes]: { ...daily('20 0 * * *'), after: [job] },
      [jobNames.analyze]: { schedule: { cron: '0 4 * * 0' }, missed: 'once' },
    },
    tasks: [
      { ...task(job, 'partitions', (context) => ensure(context, asked)), beside: true },
      ...(hot === 0
        ? []
        : [task(options.hot?.job ?? jobNames.indexes, 'hot indexes', (context) => index(context, asked))]),
      {
        ...task(options.analyzeJob ?? jobNames.analyze, 'statistics', (context) => analyze(context, of)),
        sql: () => [`ANALYZE ${qualified(of)}`],
      },
    ],
  };
}

function daily(cron: string): JobSettings {
  return { schedule: { cron }, atStart: true, missed: 'once' };
}

const OVERTAKEN_ATTEMPTS = 3;

/** Makes what is missing and mends what is there; every change is tried, whatever became of the one before it. */
async function ensure(context: TaskContext, asked: Asked): Promise<Done> {
  const done = new Set<string>();
  for (let number = 1; ; number += 1) {
    const result = await attempt(context, asked);
    for (const subject of result.done) done.add(subject);
    // Somebody else made it, or took its name, since the catalogue was read: what is missing now is another question.
    if (number < OVERTAKEN_ATTEMPTS && result.failed.some(isOvertaken)) continue;
    if (result.failed.length > 0) throw together(result.failed);
    const what = [...done, ...unserved(result.standing, context.now)].join('; ');
    return what === '' ? {} : { what };
  }
}

interface Attempt {
  readonly standing: Standing;
  readonly done: readonly string[];
  readonly failed: readonly HoldfastError[];
}

async function attempt(context: TaskContext, asked: Asked): Promise<Attempt> {
  const { session, model, now } = context;
  const round = roundOf({ session, query: session.query, model, now }, asked.of);
  const standing = await standingOf(round, asked.of);
  const failed: HoldfastError[] = [];
  // A table that can have no new partition has those it has mended all the same, and the other way round.
  const tried = async (read: Promise<readonly Change[]>): Promise<readonly Change[]> =>
    read.catch((error: unknown) => {
      failed.push(ofTheTable(error, asked.of));
      return [];
    });
  const changes = [
    ...(await tried(makings(asked, { round, standing, now }))),
    ...(await tried(mends(round, asked.of))),
  ];
  const done: string[] = [];
  for (const change of changes) {
    if (context.signal.aborted) break;
    const failure = await carryOut(context, change);
    if (failure === undefined) done.push(change.subject);
    else failed.push(failure);
    context.tell(failure === undefined ? change.subject : failure.message);
  }
  return { standing, done, failed };
}

async function standingOf(round: Round, of: RelationName): Promise<Standing> {
  const standing = await round.standing(of).catch((error: unknown) => {
    throw ofTheTable(error, of);
  });
  if (standing !== undefined) return standing;
  throw new HoldfastError({
    code: 'HF_PARTITION_TABLE',
    subject: `table ${label(of)}`,
    what: 'there is no partitioned table of that name, or its schema is out of reach.',
    fix: 'Apply the definition to this database, or take the table out of it.',
  });
}

interface Look {
  readonly round: Round;
  readonly standing: Standing;
  readonly now: Date;
}

async function makings(asked: Asked, { round, standing, now }: Look): Promise<readonly Change[]> {
  const taken = (): Promise<Set<string>> => round.taken(asked.options.schema ?? asked.of.schema);
  return (await missing(asked, { standing, now, taken })).map(making);
}

function making({ subject, statements }: Settlement): Change {
  return {
    subject,
    sql: statements.map(({ sql }) => sql),
    // SHARE UPDATE EXCLUSIVE stops no reader and no writer, so nobody counts how long it is waited for or held.
    stopsOthers: statements.some(({ lock }) => lock !== 'NONE' && lock !== 'SHARE UPDATE EXCLUSIVE'),
  };
}

async function mends(round: Round, of: RelationName): Promise<readonly Change[]> {
  const lacking = await round.mendings(of);
  return lacking.map(({ on, sql }) => ({
    subject: `protection of ${label(on)}`,
    sql: [sql],
    stopsOthers: true,
  }));
}

function isOvertaken({ cause }: HoldfastError): boolean {
  const { code, schema } = (cause ?? {}) as { readonly code?: string; readonly schema?: string };
  // The same name in the same moment is a duplicate key of the catalogue; a moment later, duplicate_table or
  // duplicate_object; of an overlap ATTACH says invalid_object_definition.
  return code === '23505' ? schema === 'pg_catalog' : ['42P07', '42710', '42P17'].includes(code ?? '');
}

function together(failed: readonly HoldfastError[]): HoldfastError {
  const [first, ...more] = failed as readonly [HoldfastError, ...HoldfastError[]];
  if (more.length === 0) return first;
  const { code, subject, what, fix } = first;
  return new HoldfastError({ code, subject, what: `${what} (and ${more.length} more)`, fix, cause: first });
}

/** Ranges of the past that rows find no place in, for the log: what is gone there went with age or by hand. */
function unserved({ partitions, type }: Standing, now: Date): readonly string[] {
  const serving = partitions.filter(({ isDefault, leaving }) => !isDefault && leaving !== true);
  const shown = (ms: number): string => boundText(ms, type ?? 'timestamptz');
  return holes(serving)
    .filter(({ toMs }) => toMs <= now.getTime())
    .map(({ fromMs, toMs }) => `no partition takes rows from ${shown(fromMs)} to ${shown(toMs)}`);
}

/** Builds hot indexes on the newest partitions and drops those that have cooled; remains of a cut-off build go first. */
async function index(context: TaskContext, asked: Asked): Promise<Done> {
  const { session, now, model, signal } = context;
  const round = roundOf({ session, query: session.query, model, now }, asked.of);
  const { partitions } = await standingOf(round, asked.of);
  const done: string[] = [];
  const failed: HoldfastError[] = [];
  for (const { subject, statements } of await hotSettlements(session.query, { asked, now, partitions })) {
    if (signal.aborted) break;
    const failure = await inTurn(context, { subject, statements });
    if (failure === undefined) done.push(subject);
    else failed.push(failure);
    context.tell(failure === undefined ? subject : failure.message);
  }
  if (failed.length > 0) throw together(failed);
  return done.length === 0 ? {} : { what: done.join('; ') };
}

async function inTurn(
  context: TaskContext,
  { subject, statements }: Pick<Settlement, 'subject' | 'statements'>,
): Promise<HoldfastError | undefined> {
  for (const statement of statements) {
    const failure = await onItsOwn(context, { subject, statement });
    if (failure !== undefined) return failure;
  }
  return undefined;
}

const ANALYZED_SQL = `
  SELECT pg_catalog.pg_stat_get_analyze_count(c.oid)::pg_catalog.int4 AS count
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p'`;

/**
 * Gathers the statistics of the whole table; autovacuum sees its partitions alone. Without the right to do it PostgreSQL
 * only warns, so the count of it is compared.
 * @see https://www.postgresql.org/docs/current/sql-analyze.html
 */
async function analyze({ session }: TaskContext, of: RelationName): Promise<Done> {
  const count = async (): Promise<number> =>
    (await session.query<{ count: number }>(ANALYZED_SQL, [of.schema, of.name]))[0]?.count ?? 0;
  const before = await count();
  await session.query(`ANALYZE ${qualified(of)}`);
  if ((await count()) > before) return { what: `analyzed ${label(of)}` };
  throw new HoldfastError({
    code: 'HF_PARTITION_ANALYZE',
    subject: `table ${label(of)}`,
    what: 'PostgreSQL skipped it: the role of the keeper may not analyze it.',
    fix: `Let the keeper log in as a member of the table's owner, or GRANT MAINTAIN on it (PostgreSQL 17 and later).`,
  });
}
