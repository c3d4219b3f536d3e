// A whole partition leaves: closed to writers, its sums taken, detached, then moved into the archive or dropped.
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { mendings } from '../../define/protection.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { objectName } from '../name.ts';
import {
  type Attached,
  attachedTo,
  clashesIn,
  defaultsOf,
  freeName,
  keysOutOf,
  pointingAt,
  standingOf,
  unlikeColumns,
} from './catalogue.ts';
import { holdsUntilCommit, isHeld } from './holds.ts';
import {
  attach,
  close,
  count,
  detach,
  measured,
  move,
  reopen,
  type Run,
  sqlstate,
  stopping,
  unfiltered,
} from './run.ts';
import { receive } from './receive.ts';
import { instantOf } from './terms.ts';
import { asPiece, newUnit, subjectOf, timeOf, type Unit, unitsOf } from './unit.ts';

/**
 * Begins with a partition: from here on it takes no row, so that what is summed up of it is what leaves.
 * @returns its part, or undefined where it must stay: rows of other tables point at it
 * @throws HoldfastError HF_RETENTION_DEFAULT, HF_RETENTION_NESTED or HF_RETENTION_COLUMNS where it could not leave; it
 *   stays untouched then
 */
export async function begin(run: Run, partition: Attached): Promise<Unit | undefined> {
  const { terms, context } = run;
  await refuseHopeless(run, partition);
  const pointedAt = await unfiltered(run, (inside) => isPointedAt(inside, partition));
  if (pointedAt) {
    run.told.lines.push(`${label(partition)} stays: other rows point at its own`);
    return undefined;
  }
  const table = { schema: partition.schema, name: partition.name };
  const from = Number.isFinite(partition.fromMs) ? new Date(partition.fromMs) : null;
  const range = { from, to: new Date(partition.toMs) };
  return unfiltered(run, async (query) => {
    await close(run, query, table);
    // The lock is held now: whoever else began with it has said so.
    const units = unitsOf(terms, await context.pieces.list(subjectOf(terms.of), query));
    if (units.some((one) => isLeaving(one) && label(one.table) === label(table))) return undefined;
    const unit = newUnit(units, { state: 'closing', ...range, table, since: context.now });
    await context.pieces.put(query, asPiece(terms, unit), null);
    return unit;
  });
}

/** Whether a part is on its way out of the table. */
export function isLeaving(unit: Unit): boolean {
  return unit.state === 'closing' || unit.state === 'closed';
}

/**
 * Moves a part of the online side on until it has left or something is in the way.
 * @returns it as it is then
 */
export async function leave(run: Run, begun: Unit): Promise<Unit> {
  let unit = begun;
  if (unit.state === 'closing' && !stopping(run)) {
    await run.context.beforeLeaving(run.terms.of, { column: run.terms.by, from: unit.from, to: unit.to });
    unit = await move(run, unit, { to: { state: 'closed' } });
  }
  if (unit.state !== 'closed' || stopping(run)) return unit;
  if (!(await apart(run, unit))) return { ...unit, state: 'gone' };
  if (stopping(run)) return unit;
  await withoutKeys(run, unit);
  const left = await (run.terms.archive === undefined ? forGood(run, unit) : intoArchive(run, unit));
  run.told.rows += left.rows ?? 0;
  run.told.bytes += left.bytes ?? 0;
  return left;
}

async function refuseHopeless(run: Run, partition: Attached): Promise<void> {
  const { terms, context } = run;
  const subject = `table ${label(terms.of)}`;
  const all = await attachedTo(context.session.query, terms.of, terms.type);
  const other = all.find((one) => one.isDefault);
  if (other !== undefined) {
    throw new HoldfastError({
      code: 'HF_RETENTION_DEFAULT',
      subject,
      what: `PostgreSQL detaches no partition concurrently while there is a DEFAULT partition (${label(other)}).`,
      fix: `Detach it (ALTER TABLE ${qualified(terms.of)} DETACH PARTITION ${qualified(other)}), then insert its rows into the table.`,
    });
  }
  if (partition.nested) {
    throw new HoldfastError({
      code: 'HF_RETENTION_NESTED',
      subject: `partition ${label(partition)}`,
      what: 'it is partitioned itself, and only a partition that holds rows can leave.',
      fix: 'Move it by hand, or partition the table by time alone.',
    });
  }
  if (terms.archive === undefined) return;
  const unlike = await unlikeColumns(context.session.query, partition, terms.archive.of);
  if (unlike.length === 0) return;
  throw new HoldfastError({
    code: 'HF_RETENTION_COLUMNS',
    subject: `partition ${label(partition)}`,
    what: `its columns are not those of ${label(terms.archive.of)}: ${unlike.join(', ')} stands on one side alone.`,
    fix: 'Apply the definition, so that both have the same columns.',
  });
}

async function isPointedAt(query: CatalogueQuery, partition: RelationName): Promise<boolean> {
  for (const key of await pointingAt(query, partition)) {
    if (key.own) continue;
    const on = key.columns.map((column, at) => `r.${ident(column)} = t.${ident(key.points[at] ?? '')}`);
    const sql = `SELECT EXISTS (SELECT FROM ${qualified(key)} r JOIN ${qualified(partition)} t ON ${on.join(' AND ')}) AS found`;
    const [row] = await query<{ found: boolean }>(sql);
    if (row?.found === true) return true;
  }
  return false;
}

/** Detaches; false where a row that came to point at it keeps it: it is opened again and stays. */
async function apart(run: Run, unit: Unit): Promise<boolean> {
  try {
    await detach(run, unit.table, run.terms.of);
    return true;
  } catch (error) {
    if (sqlstate(error) !== '23503') throw error;
  }
  await unfiltered(run, async (query) => {
    await reopen(query, unit.table);
    await run.context.pieces.remove(query, asPiece(run.terms, unit));
  });
  run.told.lines.push(`${label(unit.table)} stays: other rows point at its own`);
  return false;
}

/**
 * Drops the foreign keys of a table that is apart: archived rows keep nobody from deleting what they point at. That locks
 * the other table ACCESS EXCLUSIVE, as dropping the table with them would, so each goes in a transaction of its own: whoever
 * writes there waits for one lock at most.
 */
async function withoutKeys(run: Run, unit: Unit): Promise<void> {
  const table = qualified(unit.table);
  for (const key of await keysOutOf(run.context.session.query, table))
    await unfiltered(run, async (query) => {
      await query(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${ident(key)}`);
    });
}

async function intoArchive(run: Run, unit: Unit): Promise<Unit> {
  const { terms, context } = run;
  const archive = terms.archive?.of ?? terms.of;
  const there = await attachedTo(context.session.query, archive, terms.type);
  const size = await measured(run, unit);
  const meets = there.some((one) => one.fromMs < unit.to.getTime() && one.toMs > timeOf(unit.from));
  if (meets) {
    if (unit.from !== null) await receive(run, archive, { from: unit.from, to: unit.to });
    return merged(run, unit, { archive, ...size });
  }
  const from = unit.from === null ? null : instantOf(terms, unit.from);
  const roles = context.model.roles.map((role) => role.name);
  return move(run, unit, {
    to: { state: 'archived', ...size },
    effect: async (query) => {
      await taken(query, unit.table, terms.of);
      await reopen(query, unit.table);
      for (const column of await defaultsOf(query, qualified(unit.table)))
        await query(`ALTER TABLE ${qualified(unit.table)} ALTER COLUMN ${ident(column)} DROP DEFAULT`);
      const table = await movedTo(query, unit.table, archive.schema);
      await attach(query, table, { parent: archive, from, to: instantOf(terms, unit.to) });
      for (const mending of await mendings(query, roles, archive))
        if (label(mending.on) === label(table)) await query(mending.sql);
      return { table };
    },
  });
}

/** Locks a table that is about to move or go, and makes sure that it is no partition of its old parent. */
async function taken(query: CatalogueQuery, table: RelationName, parent: RelationName): Promise<void> {
  await query(`LOCK TABLE ${qualified(table)} IN ACCESS EXCLUSIVE MODE`);
  if ((await standingOf(query, table, parent)) === 'apart') return;
  throw new HoldfastError({
    code: 'HF_RETENTION_ATTACHED',
    subject: `table ${label(table)}`,
    what: `it was to leave, and is a partition of ${label(parent)} again.`,
    fix: 'Find out who attached it; detach it once it may leave.',
  });
}

/** Moves a table into a schema with its indexes and sequences; what has a name that is taken there gets another. */
export async function movedTo(
  query: CatalogueQuery,
  table: RelationName,
  schema: string,
): Promise<RelationName> {
  if (table.schema === schema) return table;
  let { name } = table;
  const clashes = await clashesIn(query, { quoted: qualified(table), schema: ident(schema) });
  for (const clash of clashes) {
    const schemas = [schema, table.schema];
    const free = await freeName(query, `${clash.name}_2`, { schemas, name: objectName });
    const of = { schema: table.schema, name: clash.name };
    await query(`ALTER ${clash.kind} ${qualified(of)} RENAME TO ${ident(free)}`);
    if (clash.kind === 'TABLE') name = free;
  }
  await query(`ALTER TABLE ${qualified({ schema: table.schema, name })} SET SCHEMA ${ident(schema)}`);
  return { schema, name };
}

/** The archive has a part of that range already, such as rows that came one by one: the few that are left join them. */
async function merged(
  run: Run,
  unit: Unit,
  into: { readonly archive: RelationName; readonly rows: number; readonly bytes: number },
): Promise<Unit> {
  const { terms } = run;
  const columns = copied(run).join(', ');
  const { rows, bytes } = into;
  return move(run, unit, {
    to: { state: 'gone', rows: 0, bytes: 0 },
    effect: async (query) => {
      await taken(query, unit.table, terms.of);
      if (rows > 0)
        await query(
          `INSERT INTO ${qualified(into.archive)} (${columns}) SELECT ${columns} FROM ${qualified(unit.table)}`,
        );
      await query(`DROP TABLE ${qualified(unit.table)}`);
      await count(run, query, { moved: rows });
    },
  }).then((gone) => ({ ...gone, rows, bytes }));
}

/** The columns that are copied by name: a generated one is computed anew where the archive generates it too. */
export function copied(run: Run): readonly string[] {
  const { columns, partitioned } = run.terms;
  return columns
    .filter((column) => !partitioned || column.generated === undefined)
    .map((column) => ident(column.name));
}

/** Drops a detached table, unless a hold was placed meanwhile: then it becomes a partition again. */
async function forGood(run: Run, unit: Unit): Promise<Unit> {
  const { terms, context } = run;
  const size = await measured(run, unit);
  const from = unit.from === null ? null : instantOf(terms, unit.from);
  const held = await unfiltered(run, async (query) => {
    await taken(query, unit.table, terms.of);
    const holds = await holdsUntilCommit(run, query);
    const stays = await isHeld(query, terms, { holds, unit });
    if (stays) {
      await reopen(query, unit.table);
      await attach(query, unit.table, { parent: terms.of, from, to: instantOf(terms, unit.to) });
      await context.pieces.remove(query, asPiece(terms, unit));
      return true;
    }
    await query(`DROP TABLE ${qualified(unit.table)}`);
    const gone: Unit = { ...unit, ...size, state: 'gone', since: context.now };
    await context.pieces.put(query, asPiece(terms, gone), unit.state);
    return false;
  });
  if (held) run.told.lines.push(`${label(unit.table)} stays: it is held`);
  return held ? { ...unit, state: 'gone' } : { ...unit, ...size, state: 'gone' };
}
