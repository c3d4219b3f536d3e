// Archived rows back into their own table: each part is in the archive or in the table, never in both, and a hold keeps
// the next run from taking it again.
import { PUT_BACK_SETTING, type TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import { mendings } from '../../define/protection.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { cut } from '../name.ts';
import { gaps, suffix } from '../partitions/period.ts';
import { attachedTo, freeName } from './catalogue.ts';
import { contentOf, names, summing } from './files/content.ts';
import { damaged } from './files/manifest.ts';
import type { TextColumns } from './files/parquet-file.ts';
import { contentByKey, insertRows, type Into } from './files/restore.ts';
import { columnsOf, exactly } from './files/source.ts';
import { manifestOf, rowsOfPiece } from './files/verify.ts';
import { holds, placeHold, PUT_BACK } from './holds.ts';
import { movedTo } from './leave.ts';
import type { ArchiveFiles, ArchiveReceipt } from './port.ts';
import { withoutLeftovers } from './refile.ts';
import { nothing } from './restored.ts';
import { attach, detach, openRun, reopen, type Run, unfiltered } from './run.ts';
import { instantOf, type Terms } from './terms.ts';
import { asPiece, timeOf, type Unit } from './unit.ts';

/** What was put back. */
export interface PutBack {
  readonly rows: number;
  readonly parts: number;
  /** Ids of the holds that keep the ranges online; release them when the rows may leave again. */
  readonly holds: readonly string[];
}

const IN_FLIGHT = ['filing', 'written', 'verified'];
const READABLE = ['archived', 'receiving', 'filed'];

/**
 * Puts whole parts back, one after the other. A partition that lies in the archive's schema is attached again without a
 * row being copied; else rows are inserted in one transaction with the part's new state. Killed between two statements,
 * the next call goes on.
 * @throws HoldfastError HF_ARCHIVE_NOTHING, HF_ARCHIVE_BUSY, HF_ARCHIVE_COLUMNS, HF_ARCHIVE_CONFLICT, and what reading a
 *   piece throws; a part that could not be put back is in the archive still
 */
export async function putBack(
  context: TaskContext,
  terms: Terms,
  of: { readonly range: { readonly from: Date; readonly to: Date }; readonly units: readonly Unit[] },
): Promise<PutBack> {
  const busy = of.units.find((unit) => IN_FLIGHT.includes(unit.state));
  if (busy !== undefined) throw inFlight(terms, busy);
  const units = of.units.filter((unit) => READABLE.includes(unit.state));
  if (units.length === 0) throw nothing(terms, of.range);
  const run = openRun(context, terms);
  const held: string[] = [];
  let rows = 0;
  for (const unit of units) {
    held.push(await hold(context, terms, unit));
    rows += await unitBack(run, unit);
  }
  // What was promised while these rows were away is done to them now: a subject that was erased is erased from them too.
  await context.throughTraits?.(({ restored }) => restored?.(context.model));
  return { rows, parts: units.length, holds: held };
}

/** Before the first row is back: a run that came in between would take it. */
async function hold(context: TaskContext, terms: Terms, unit: Unit): Promise<string> {
  const id = `restored ${label(terms.of)} ${unit.key}`;
  if ((await holds(context)).some((one) => one.id === id)) return id;
  const range = { to: unit.to, ...(unit.from !== null && { from: unit.from }) };
  await placeHold(context, { id, table: terms.of, ...range, why: PUT_BACK });
  return id;
}

async function unitBack(run: Run, begun: Unit): Promise<number> {
  const unit = await withoutLeftovers(run, begun);
  const { files, of } = run.terms.archive ?? {};
  if (unit.state === 'filed') {
    if (files === undefined || unit.receipt === undefined)
      throw nothing(run.terms, { from: unit.from ?? unit.to, to: unit.to });
    return fileBack(run, unit, { files, receipt: unit.receipt });
  }
  if (of === undefined) return 0;
  if (run.terms.partitioned && (await fits(run, unit))) return partitionBack(run, unit, of);
  return rowsBack(run, unit, of);
}

async function fileBack(
  run: Run,
  unit: Unit,
  { files, receipt }: { readonly files: ArchiveFiles; readonly receipt: ArchiveReceipt },
): Promise<number> {
  const { context, terms } = run;
  const manifest = await manifestOf(files.store, receipt);
  const into = await liveOf(run, manifest.columns);
  const key = await keyOf(run);
  if (terms.partitioned) await makePlaces(run, unit);
  await exactly(context, async (query) => {
    const total = summing(undefined);
    const piece = { path: receipt.path, manifest, signal: context.signal };
    for await (const rows of rowsOfPiece(files.store, piece)) {
      total.add(contentOf(rows, manifest.columns, undefined));
      await insertChecked(query, { into, rows, key });
      context.tell(`${label(terms.of)}: ${total.total().rows} rows back`);
    }
    const { rows, sum } = total.total();
    if (rows !== manifest.rows || sum !== manifest.content)
      throw damaged(files.store, receipt.path, 'its files hold other rows than its manifest says');
    const next: Unit = { ...unit, state: 'removing', rows: 0, since: context.now };
    await context.pieces.put(query, asPiece(terms, next), unit.state);
  });
  // Killed here, the next run of the retention removes the files: it finds them in that state.
  await files.remove(receipt);
  const gone: Unit = { ...unit, state: 'gone', rows: 0, since: context.now };
  await context.session.transaction((query) => context.pieces.put(query, asPiece(terms, gone), 'removing'));
  return manifest.rows;
}

// Triggers of the table may rely on the role's own search_path; sums are printed under the exact one.
const OWN_PATH_SQL = 'SET LOCAL search_path TO DEFAULT';
const EXACT_PATH_SQL = 'SET LOCAL search_path TO pg_catalog';

/** Whoever summed these rows up when they were there first must not do so again. */
const PUT_BACK_SQL = `SELECT pg_catalog.set_config('${PUT_BACK_SETTING}', 'on', true)`;

async function insertChecked(
  query: CatalogueQuery,
  of: { readonly into: Into; readonly rows: TextColumns; readonly key: readonly string[] },
): Promise<void> {
  const { into, rows, key } = of;
  await query(OWN_PATH_SQL);
  await query(PUT_BACK_SQL);
  const inserted = await insertRows(query, into, { rows, skipThere: key.length > 0 });
  await query(EXACT_PATH_SQL);
  const wanted = contentOf(rows, into.columns, undefined);
  if (key.length === 0) {
    if (inserted !== wanted.rows) throw conflict(into.table);
    return;
  }
  const found = await contentByKey(query, into, { rows, key });
  if (found.rows !== wanted.rows || found.sum !== wanted.sum) throw conflict(into.table);
}

/** The table with the columns of a part; generated ones it computes itself. */
async function liveOf(run: Run, columns: Into['columns']): Promise<Into> {
  const { context, terms } = run;
  const own = await columnsOf(context, terms.of);
  const unlike = columns.filter(
    (column) => !own.some((one) => one.name === column.name && one.type === column.type),
  );
  if (unlike.length > 0) {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_COLUMNS',
      subject: `table ${label(terms.of)}`,
      what: `archived rows have ${names(unlike)}, which it has not or not so any more.`,
      fix: 'Restore them into a table of their own, and from there by your own INSERT … SELECT.',
    });
  }
  const generated = terms.columns.filter((column) => column.generated !== undefined);
  return { table: terms.of, columns, generated: new Set(generated.map((column) => column.name)) };
}

const KEY_SQL = `
  SELECT a.attname AS name FROM pg_catalog.pg_index i
  JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k (num, at) ON true
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
  WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary ORDER BY k.at`;

async function keyOf(run: Run): Promise<readonly string[]> {
  const rows = await run.context.session.query<{ name: string }>(KEY_SQL, [qualified(run.terms.of)]);
  return rows.map(({ name }) => name);
}

/** Rows that come back find a partition: what of the part's range has none gets one, under its own short transaction. */
async function makePlaces(run: Run, unit: Unit): Promise<void> {
  const { terms, context } = run;
  const wanted = { fromMs: timeOf(unit.from), toMs: unit.to.getTime() };
  const there = await attachedTo(context.session.query, terms.of, terms.type);
  if (gaps([wanted], there).length === 0) return;
  await unfiltered(run, async (query) => {
    const again = await attachedTo(query, terms.of, terms.type);
    for (const gap of gaps([wanted], again)) await makePlace(run, query, gap);
  });
}

const OWNER_SQL = `SELECT pg_catalog.pg_get_userbyid(relowner) AS owner FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.regclass`;

async function makePlace(
  run: Run,
  query: CatalogueQuery,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Promise<void> {
  const { terms } = run;
  const ending = `_${Number.isFinite(fromMs) ? suffix(terms.every, fromMs) : 'oldest'}`;
  const name = await freeName(query, ending, {
    schemas: [terms.of.schema],
    name: (tail) => `${cut(terms.of.name, 63 - Buffer.byteLength(tail))}${tail}`,
  });
  const table = { schema: terms.of.schema, name };
  const like =
    'INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION';
  await query(`CREATE TABLE ${qualified(table)} (LIKE ${qualified(terms.of)} ${like})`);
  const [of] = await query<{ owner: string }>(OWNER_SQL, [qualified(terms.of)]);
  if (of !== undefined) await query(`ALTER TABLE ${qualified(table)} OWNER TO ${ident(of.owner)}`);
  const from = Number.isFinite(fromMs) ? instantOf(terms, new Date(fromMs)) : null;
  await attach(query, table, { parent: terms.of, from, to: instantOf(terms, new Date(toMs)) });
  await protect(run, query, table);
}

async function protect(run: Run, query: CatalogueQuery, table: RelationName): Promise<void> {
  const roles = run.context.model.roles.map((role) => role.name);
  for (const mending of await mendings(query, roles))
    if (label(mending.on) === label(table)) await query(mending.sql);
}

const LAX_SQL = `
  SELECT pg_catalog.count(*)::pg_catalog.int4 AS lax FROM pg_catalog.pg_attribute p
  JOIN pg_catalog.pg_attribute c ON c.attname = p.attname AND c.attrelid = $2::pg_catalog.regclass AND NOT c.attnotnull
  WHERE p.attrelid = $1::pg_catalog.regclass AND p.attnum > 0 AND p.attnotnull`;

/** Whether a part can become a partition again as it is: nothing else has its range, and it kept what the table demands. */
async function fits(run: Run, unit: Unit): Promise<boolean> {
  const { terms, context } = run;
  const { query } = context.session;
  const there = await attachedTo(query, terms.of, terms.type);
  if (there.some((one) => one.fromMs < unit.to.getTime() && one.toMs > timeOf(unit.from))) return false;
  const [row] = await query<{ lax: number }>(LAX_SQL, [qualified(terms.of), qualified(unit.table)]);
  return row?.lax === 0;
}

async function partitionBack(run: Run, unit: Unit, archive: RelationName): Promise<number> {
  const { terms, context } = run;
  await detach(run, unit.table, archive);
  const from = unit.from === null ? null : instantOf(terms, unit.from);
  return unfiltered(run, async (query) => {
    await query(`LOCK TABLE ${qualified(unit.table)} IN ACCESS EXCLUSIVE MODE`);
    await reopen(query, unit.table);
    const table = await movedTo(query, unit.table, terms.of.schema);
    await attach(query, table, { parent: terms.of, from, to: instantOf(terms, unit.to) });
    await protect(run, query, table);
    const rows = await countOf(query, table);
    const gone: Unit = { ...unit, table, state: 'gone', rows: 0, since: context.now };
    await context.pieces.put(query, asPiece(terms, gone), unit.state);
    return rows;
  });
}

async function rowsBack(run: Run, unit: Unit, archive: RelationName): Promise<number> {
  const { terms, context } = run;
  if (terms.partitioned) await makePlaces(run, unit);
  await detach(run, unit.table, archive);
  return unfiltered(run, async (query) => {
    await query(`LOCK TABLE ${qualified(unit.table)} IN ACCESS EXCLUSIVE MODE`);
    await query(PUT_BACK_SQL);
    const columns = terms.columns.filter((column) => column.generated === undefined);
    const list = columns.map((column) => ident(column.name)).join(', ');
    const [done] = await query<{ there: number; put: number }>(`
      WITH put AS (INSERT INTO ${qualified(terms.of)} (${list}) OVERRIDING SYSTEM VALUE
        SELECT ${list} FROM ONLY ${qualified(unit.table)} RETURNING 1)
      SELECT (SELECT pg_catalog.count(*) FROM ONLY ${qualified(unit.table)})::pg_catalog.float8 AS there,
             (SELECT pg_catalog.count(*) FROM put)::pg_catalog.float8 AS put`);
    if (done === undefined || done.there !== done.put) throw conflict(terms.of);
    await query(`DROP TABLE ${qualified(unit.table)}`);
    const gone: Unit = { ...unit, state: 'gone', rows: 0, since: context.now };
    await context.pieces.put(query, asPiece(terms, gone), unit.state);
    return done.put;
  });
}

async function countOf(query: CatalogueQuery, table: RelationName): Promise<number> {
  const sql = `SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM ${qualified(table)}`;
  return (await query<{ rows: number }>(sql))[0]?.rows ?? 0;
}

function inFlight(terms: Terms, unit: Unit): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_BUSY',
    subject: `table ${label(terms.of)}`,
    what: `its part of ${unit.key} is on its way into files (${unit.state}).`,
    fix: 'Let the retention job finish it (holdfast run retention), then restore.',
  });
}

function conflict(table: RelationName): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_CONFLICT',
    subject: `table ${label(table)}`,
    what: 'rows with the same key are there and hold something else, or a trigger changed what came; nothing was put back.',
    fix: 'Restore into a table of its own and compare.',
  });
}
