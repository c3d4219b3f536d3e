// What an erasure leaves behind when its rows are gone: dead rows in tables and indexes, values in the planner's
// statistics, views that were computed before.
import { label, type RelationName } from '../../define/model.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { passes, sqlstate } from './failure.ts';
import { untilUnseen } from './horizon.ts';
import { asPiece, type Request } from './request.ts';
import type { Run } from './run.ts';

const PATIENCE = 20;
const WAIT_MS = 250;

type CleaningRun = Pick<Run, 'context' | 'parts' | 'plan'>;

/**
 * Cleans up after rows that are gone and ends the request. Idempotent: cut off, it is done again.
 * VACUUM takes dead rows out of tables and indexes; ANALYZE replaces statistics, but of a table without rows PostgreSQL
 * keeps the old ones, with the values that were most common in it: those are removed. Where a rewriting was asked for, it comes
 * last, when nothing is left that a statement could show.
 * @throws HoldfastError HF_ERASURE_WAITING others hold a lock, or may still see what a rewriting would copy
 * @see https://www.postgresql.org/docs/current/routine-vacuuming.html
 */
export async function cleanUp(
  run: CleaningRun,
  of: { readonly request: Request; readonly forget: readonly string[] },
): Promise<Request> {
  const { context } = run;
  const { touched } = of.request;
  const written: RelationName[] = [];
  for (const { part, context: own } of run.parts)
    written.push(...((await part.finish?.(own, touched)) ?? []));
  const dirty = unique([...touched, ...written]);
  const left: string[] = [];
  for (const relation of dirty) left.push(...(await cleaned(run, relation, 'VACUUM (ANALYZE)')));
  const others = tablesOf(run, of.request.subject).filter((one) => !isAmong(dirty, one));
  for (const relation of others) left.push(...(await cleaned(run, relation, 'ANALYZE')));
  await context.forget?.(of.forget);
  left.push(...(await cataloguesCleaned(run, of.request)));
  // Plans of the triggers that look into it are made for as many as are in it.
  await patiently(run, `ANALYZE ${qualified(run.plan.register)}`);
  if (of.request.rewrite) left.push(...(await rewritten(run, { request: of.request, dirty })));
  const { open: _open, ...rest } = of.request;
  const done: Request = { ...rest, state: 'erased', erasedAt: context.now, left };
  await context.session.transaction((query) => context.pieces.put(query, asPiece(done), of.request.state));
  return done;
}

function unique(relations: readonly RelationName[]): readonly RelationName[] {
  return relations.filter((one, at, all) => all.findIndex((other) => label(other) === label(one)) === at);
}

function isAmong(relations: readonly RelationName[], of: RelationName): boolean {
  return relations.some((one) => label(one) === label(of));
}

/**
 * Every table of the subject and its archive: rows that had left one of them for another place before they were erased
 * there stand in its statistics still, and in those of its partitions together.
 */
function tablesOf({ context, plan }: CleaningRun, subject: string): readonly RelationName[] {
  const rules = plan.subjects.find((one) => one.name === subject)?.rules ?? [];
  const own = rules.filter((rule) => rule.act !== 'keep').map((rule) => rule.of);
  const archives = context.model.tables.filter(
    (table) => table.archiveOf !== undefined && isAmong(own, table.archiveOf),
  );
  return unique([...own, ...archives]);
}

const KIND_SQL = `SELECT c.relkind AS kind FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`;

async function cleaned(
  run: CleaningRun,
  relation: RelationName,
  how: 'VACUUM (ANALYZE)' | 'ANALYZE',
): Promise<readonly string[]> {
  const { session } = run.context;
  const name = qualified(relation);
  run.context.tell(`${label(relation)}: ${how.toLowerCase()}`);
  const [there] = await session.query<{ kind: string }>(KIND_SQL, [name]);
  if (there === undefined || !['r', 'p', 'm'].includes(there.kind)) return [];
  // Of a partitioned table only the sums over its partitions are its own; the touched partitions are named themselves.
  await patiently(run, `${there.kind === 'p' ? 'ANALYZE' : how} ${name}`);
  return withoutStatistics(run, relation);
}

const SUPER_SQL = `SELECT r.rolsuper AS super, pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`;

interface Rights {
  readonly super: boolean;
  readonly version: number;
}

async function rightsOf({ context }: CleaningRun): Promise<Rights> {
  const [row] = await context.session.query<Rights>(SUPER_SQL);
  return row ?? { super: false, version: 0 };
}

const EMPTY_SQL = (name: string): string => `SELECT NOT EXISTS (SELECT FROM ${name}) AS empty`;
const FORGET_SQL = `
  WITH own AS (SELECT $1::pg_catalog.text::pg_catalog.regclass AS oid
      UNION SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = $1::pg_catalog.text::pg_catalog.regclass),
    columns AS (DELETE FROM pg_catalog.pg_statistic s USING own WHERE s.starelid = own.oid)
  DELETE FROM pg_catalog.pg_statistic_ext_data d USING pg_catalog.pg_statistic_ext e
    WHERE d.stxoid = e.oid AND e.stxrelid = $1::pg_catalog.text::pg_catalog.regclass`;
const CLEAR_SQL = `
  SELECT pg_catalog.pg_clear_attribute_stats($1::pg_catalog.text, $2::pg_catalog.text, a.attname::pg_catalog.text, i.inherited)
  FROM pg_catalog.pg_attribute a, (VALUES (false), (true)) i (inherited)
  WHERE a.attrelid = $3::pg_catalog.text::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped`;
const SHOWN_SQL = `SELECT EXISTS (SELECT FROM pg_catalog.pg_stats WHERE schemaname = $1 AND tablename = $2) AS shown`;

/** ANALYZE of a table without rows leaves the statistics of the rows it had. */
async function withoutStatistics(run: CleaningRun, relation: RelationName): Promise<readonly string[]> {
  const { session } = run.context;
  const name = qualified(relation);
  const empty = await session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    return (await query<{ empty: boolean }>(EMPTY_SQL(name)))[0]?.empty === true;
  });
  if (!empty) return [];
  const rights = await rightsOf(run);
  if (rights.super) await session.query(FORGET_SQL, [name]);
  else if (rights.version >= 180_000) {
    await session.query(CLEAR_SQL, [relation.schema, relation.name, name]);
  } else if (
    (await session.query<{ shown: boolean }>(SHOWN_SQL, [relation.schema, relation.name]))[0]?.shown === true
  ) {
    return [
      `statistics of ${label(relation)}: it has no rows, and PostgreSQL keeps what it knew of them until rows are there; a superuser deletes them from pg_statistic`,
    ];
  }
  return [];
}

const LARGE_OBJECTS: RelationName = { schema: 'pg_catalog', name: 'pg_largeobject' };
const STATISTICS = ['pg_statistic', 'pg_statistic_ext_data'].map((name) => ({ schema: 'pg_catalog', name }));

/** The catalogues that held values: large objects and statistics. PostgreSQL skips what the role may not vacuum, with a warning. */
async function cataloguesCleaned(run: CleaningRun, request: Request): Promise<readonly string[]> {
  const rights = await rightsOf(run);
  if (!rights.super)
    return [
      'dead rows of pg_statistic and pg_largeobject: only a superuser may vacuum them; autovacuum does',
    ];
  // Statistics of large objects hold their bytes.
  const left = hasObjects(run, request) ? await cleaned(run, LARGE_OBJECTS, 'VACUUM (ANALYZE)') : [];
  for (const one of STATISTICS) await patiently(run, `VACUUM ${qualified(one)}`);
  return left;
}

/** Large objects are everybody's: they are left alone for a subject that has none. */
function hasObjects({ plan }: CleaningRun, { subject }: Request): boolean {
  const rules = plan.subjects.find((one) => one.name === subject)?.rules ?? [];
  return rules.some((rule) => rule.largeObjects.length > 0);
}

const FILE_SQL =
  'SELECT pg_catalog.pg_relation_filenode(pg_catalog.to_regclass($1))::pg_catalog.text AS file';

/** Writes everything anew whose pages hold bytes of rows that are gone: touched tables, the ledger, catalogues. */
async function rewritten(
  run: CleaningRun,
  { request, dirty }: { readonly request: Request; readonly dirty: readonly RelationName[] },
): Promise<readonly string[]> {
  const { session, pieces, books = [] } = run.context;
  const { open, ...without } = request;
  // Every cache has answered by now: the key need not stand there any longer.
  if (open !== undefined)
    await session.transaction((query) => pieces.put(query, asPiece(without), request.state));
  const catalogues = [...(hasObjects(run, request) ? [LARGE_OBJECTS] : []), ...STATISTICS];
  const own = (await rightsOf(run)).super ? catalogues : [];
  await untilUnseen(run);
  const left: string[] = [];
  for (const relation of [...dirty, ...books, ...own]) {
    const name = qualified(relation);
    const [before] = await session.query<{ file: string | null }>(FILE_SQL, [name]);
    if (before === undefined || before.file === null) continue;
    run.context.tell(`${label(relation)}: is written anew`);
    await patiently(run, `VACUUM (FULL) ${name}`);
    const [after] = await session.query<{ file: string | null }>(FILE_SQL, [name]);
    if (before.file === after?.file)
      left.push(`pages of ${label(relation)}: only its owner may write them anew`);
  }
  return left;
}

async function patiently(run: CleaningRun, sql: string): Promise<void> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      await run.context.session.query(sql);
      return;
    } catch (error) {
      if (sqlstate(error) === '42P01') return;
      if (!passes(error)) throw error;
      if (attempts >= PATIENCE) throw busy(sql, error);
    }
    await run.context.pause(WAIT_MS);
  }
}

function busy(sql: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_WAITING',
    subject: sql,
    what: 'others hold a lock that it needs, for longer than it waits.',
    fix: 'The rows are gone already; the next run cleans up after them.',
    cause,
  });
}
