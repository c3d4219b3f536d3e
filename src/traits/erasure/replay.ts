// Erasures are finished, and repeated on rows that came back: the register has digests alone, so every key that rows carry
// is hashed and looked up in it.
import type { SubjectRows } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import { HoldfastError } from '../../error.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { ArchiveFiles } from '../retention/port.ts';
import { tellProcesses } from './caches.ts';
import { carryOut } from './carry-out.ts';
import { cleanUp } from './clean-up.ts';
import { digestOf, digestSql, type Key, startOf } from './digest.ts';
import { partsOf } from './parts.ts';
import type { Carrier, ErasurePlan, Rule, Subject } from './plan.ts';
import { keptOutside, register, registered, type Tombstone } from './register.ts';
import { isSettled, type Request, requestsOf } from './request.ts';
import { openRun, type Run } from './run.ts';
import { type Named, saltOf, soughtIn } from './subject.ts';
import { personalTexts } from './texts.ts';

/** What a replay did. */
export interface Replayed {
  /** Subjects that rows were found of, or whose request was still open. */
  readonly erased: number;
  /** Rows that went. */
  readonly rows: number;
  /** Requests that wait for a transaction to end. */
  readonly waiting: number;
}

/** Digests that were made with one salt, by kind of subject. */
interface Wanted {
  readonly salt: Buffer;
  readonly digests: ReadonlyMap<string, ReadonlySet<string>>;
  readonly basis: string;
}

/**
 * Erases again what the register, and its copy outside, have as erased. Rows in files of an archive are looked for where
 * something was left open, or `everywhere`: files do not change by themselves.
 */
export async function replayed(
  context: TaskContext,
  plan: ErasurePlan,
  how: { readonly everywhere?: boolean; readonly mirror?: ArchiveFiles },
): Promise<Replayed> {
  const outside = how.mirror === undefined ? [] : await keptOutside(how.mirror, context.model.name);
  await adopted(context, plan, outside);
  const open = requestsOf(await context.pieces.list()).filter((one) => one.state === 'erasing');
  const files = how.everywhere === true || open.length > 0;
  const failures = new Map<string, HoldfastError>();
  const counts = { erased: 0, rows: 0, waiting: 0 };
  for (const wanted of await wantedOf(context, plan, outside)) {
    for (const subject of plan.subjects) {
      for (const key of await keysOf({ context, plan, subject, wanted, files })) {
        const run = await runOf(context, plan, { subject, key });
        const before = await register(run, { basis: wanted.basis });
        await toItsEnd(run, { before, counts, failures });
      }
    }
  }
  await finished(context, plan, { counts, failures });
  // Every other subject has had its turn.
  const [failure] = failures.values();
  if (failure !== undefined) throw failure;
  return counts;
}

interface Tally {
  readonly counts: { erased: number; rows: number; waiting: number };
  /** Subjects that a cache, or somebody's transaction, keeps open, by digest. */
  readonly failures: Map<string, HoldfastError>;
}

async function runOf(context: TaskContext, plan: ErasurePlan, named: Named): Promise<Run> {
  const sought = await soughtIn(context.session, plan, named);
  return openRun({ context, plan, subject: named.subject, sought, parts: await partsOf(context) });
}

async function toItsEnd(run: Run, of: Tally & { readonly before: Request }): Promise<void> {
  await ended(of, async () => carryOut(run, await personalTexts(run)));
}

const LATER: readonly string[] = ['HF_ERASURE_CACHE', 'HF_ERASURE_WAITING'];

async function ended(
  { before, counts, failures }: Tally & { readonly before: Request },
  work: () => Promise<Request>,
): Promise<void> {
  try {
    counts.rows += sum(await work()) - sum(before);
    counts.erased += 1;
  } catch (error) {
    if (!(error instanceof HoldfastError) || !LATER.includes(error.code)) throw error;
    failures.set(before.digest, error);
  }
}

/** Requests of which no row is left: cut off before a cache was asked or before its end, or a transaction may still write one. */
async function finished(context: TaskContext, plan: ErasurePlan, tally: Tally): Promise<void> {
  const { counts, failures } = tally;
  for (const request of requestsOf(await context.pieces.list())) {
    if (request.state !== 'erasing' || failures.has(request.digest)) continue;
    if (!(await isSettled(context.session.query, request))) {
      counts.waiting += 1;
      continue;
    }
    const subject = plan.subjects.find((one) => one.name === request.subject);
    if (request.open !== undefined && subject !== undefined) {
      const run = await runOf(context, plan, { subject, key: request.open });
      await toItsEnd(run, { ...tally, before: request });
      continue;
    }
    await ended({ ...tally, before: request }, async () => {
      await tellProcesses(context, request.subject);
      return cleanUp({ context, plan, parts: await partsOf(context) }, { request, forget: [] });
    });
  }
}

function sum(request: Request): number {
  return request.counts.reduce((rows, one) => rows + one.rows, 0);
}

/** A database that was restored takes up what it does not know of; one without a salt takes that up too. */
async function adopted(
  context: TaskContext,
  plan: ErasurePlan,
  outside: readonly Tombstone[],
): Promise<void> {
  const [first] = outside;
  if (first === undefined) return;
  await context.session.transaction((query) =>
    query(`INSERT INTO ${qualified(plan.salt)} (salt) VALUES ($1) ON CONFLICT (one) DO NOTHING`, [
      Buffer.from(first.salt, 'hex'),
    ]),
  );
  const salt = (await saltOf(context.session, plan)).toString('hex');
  await context.session.transaction(async (query) => {
    for (const one of outside.filter((each) => each.salt === salt))
      await query(
        `INSERT INTO ${qualified(plan.register)} (subject, digest, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
        [one.subject, Buffer.from(one.digest, 'hex'), one.since],
      );
  });
}

async function wantedOf(
  context: TaskContext,
  plan: ErasurePlan,
  outside: readonly Tombstone[],
): Promise<readonly Wanted[]> {
  const all = await registered(context.session.query, plan);
  const salt = await saltOf(context.session, plan);
  const own = all.map(({ subject, digest }) => ({ subject, digest: digest.toString('hex') }));
  const others = new Map<string, Tombstone[]>();
  for (const one of outside.filter((each) => each.salt !== salt.toString('hex')))
    others.set(one.salt, [...(others.get(one.salt) ?? []), one]);
  return [
    ...(own.length === 0 ? [] : [{ salt, digests: byKind(own), basis: 'replayed' }]),
    ...[...others].map(([hex, list]) => ({
      salt: Buffer.from(hex, 'hex'),
      digests: byKind(list),
      basis: list[0]?.basis ?? 'replayed',
    })),
  ];
}

function byKind(
  list: readonly { readonly subject: string; readonly digest: string }[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const kinds = new Map<string, Set<string>>();
  for (const { subject, digest } of list) kinds.set(subject, (kinds.get(subject) ?? new Set()).add(digest));
  return kinds;
}

interface Looking {
  readonly context: TaskContext;
  readonly plan: ErasurePlan;
  readonly subject: Subject;
  readonly wanted: Wanted;
  readonly files: boolean;
}

/** Keys that rows carry and whose digest is wanted. */
async function keysOf(looking: Looking): Promise<readonly Key[]> {
  const { context, subject, wanted } = looking;
  if (!wanted.digests.has(subject.name)) return [];
  const keys = new Map<string, Key>();
  const take = (key: Key): void => void keys.set(JSON.stringify([key.within ?? null, key.key]), key);
  const carried = subject.rules
    .filter((rule) => rule.act !== 'keep')
    .flatMap((rule) => rule.by.map((by) => ({ rule, by })));
  for (const one of carried) {
    const archives = context.model.tables.filter(
      (table) => table.archiveOf !== undefined && label(table.archiveOf) === label(one.rule.of),
    );
    for (const relation of [one.rule.of, ...archives])
      (await keysIn(looking, { ...one, relation })).forEach(take);
    if (looking.files) (await keysElsewhere(looking, one.rule, one.by)).forEach(take);
  }
  return [...keys.values()];
}

async function keysIn(
  looking: Looking,
  of: { readonly rule: Rule; readonly by: Carrier; readonly relation: RelationName },
): Promise<readonly Key[]> {
  const { rule, by, relation } = of;
  const within = rule.within === undefined ? undefined : ident(rule.within.column);
  const columns = [
    ...(within === undefined ? [] : [`t.${within} AS within`]),
    `t.${ident(by.column)} AS key`,
  ];
  const texts = [...(within === undefined ? [] : ['within']), 'key'];
  const { sql, values } = digestCondition(
    looking,
    texts.map((name) => `k.${name}::pg_catalog.text`),
  );
  const rows = await looking.context.session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    return query<{ within?: string; key: string }>(
      `SELECT ${texts.map((name) => `k.${name}::pg_catalog.text AS ${name}`).join(', ')}
       FROM (SELECT DISTINCT ${columns.join(', ')} FROM ${qualified(relation)} AS t WHERE t.${ident(by.column)} IS NOT NULL) AS k
       WHERE ${sql}`,
      values,
    );
  });
  return rows.map(({ key, within: found }) => ({ key, ...(found !== undefined && { within: found }) }));
}

function digestCondition(
  { wanted, subject }: Looking,
  parts: readonly string[],
): { readonly sql: string; readonly values: readonly string[] } {
  const start = `pg_catalog.decode(${literal(startOf(wanted.salt, subject.name).toString('hex'))}, 'hex')`;
  const digests = [...(wanted.digests.get(subject.name) ?? [])].join(',');
  const hex = `pg_catalog.encode(${digestSql(start, parts)}, 'hex')`;
  return { sql: `${hex} = ANY (pg_catalog.string_to_array($1::pg_catalog.text, ','))`, values: [digests] };
}

function textOf(column: string): string {
  return `t.${ident(column)}::pg_catalog.text`;
}

/** Keys of rows that other promises keep. */
async function keysElsewhere(looking: Looking, rule: Rule, by: Carrier): Promise<readonly Key[]> {
  const { context, subject, wanted } = looking;
  const keyIn = (row: Readonly<Record<string, string | null>>): Key | undefined => {
    const key = row[by.column] ?? null;
    const within = rule.within === undefined ? undefined : (row[rule.within.column] ?? null);
    return key === null || within === null ? undefined : { key, ...(within !== undefined && { within }) };
  };
  const parts = [...(rule.within === undefined ? [] : [textOf(rule.within.column)]), textOf(by.column)];
  const condition = digestCondition(looking, parts);
  const rows: SubjectRows = {
    of: rule.of,
    subject: subject.name,
    where: condition.sql,
    values: condition.values,
    seen: new Set(),
    theirs: (row) => {
      const key = keyIn(row);
      if (key === undefined) return false;
      const digest = digestOf(wanted.salt, subject.name, key).toString('hex');
      return wanted.digests.get(subject.name)?.has(digest) === true;
    },
    change: () => new Map(),
    sweep: async () => 0,
    count: async () => 0,
    note: async () => undefined,
  };
  const found: Key[] = [];
  for (const { part, context: own } of await partsOf(context))
    await part.copies?.(own, rows, async ({ row }) => {
      const key = keyIn(row);
      if (key !== undefined && !found.some((one) => one.key === key.key && one.within === key.within))
        found.push(key);
    });
  return found;
}
