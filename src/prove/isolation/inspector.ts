// A superuser's eye on the copy: makes a statement again in a role's name and compares all rows before and after.
import type { PoolClient, QueryArrayResult } from 'pg';
import { label, type RelationName } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { calls } from '../boundary/comparisons.ts';
import type { Row, World } from '../rows/index.ts';
import { ALIKE, settingsSql, type Settings } from './attacker.ts';
import type { Target } from './objects.ts';
import { insertSql, whereRow, type Stage } from './stage.ts';

/** A statement to make again. */
export interface Again {
  readonly role: string;
  readonly settings: Settings;
  readonly statements: readonly string[];
  readonly viewer: World | undefined;
  /** The table that is written to: what can change by that is looked at; absent: every table that is somebody's. */
  readonly table?: Target;
  /** Statements of the superuser before it, with triggers and foreign keys off. */
  readonly prepare?: readonly string[];
}

/**
 * Runs statements in a role's name and tells what they did to rows of other owners, in a transaction that is rolled back.
 * @returns words for people; undefined when nothing of another owner was changed, removed or added, or the statement failed
 */
export async function changesToOthers(stage: Stage, again: Again): Promise<string | undefined> {
  const tables = again.table === undefined ? ownedTables(stage) : changeable(stage, again.table);
  const reads = tables.map(
    (table) =>
      `SELECT tableoid::pg_catalog.text || ctid::pg_catalog.text, ${table.columns.map((column) => ident(column.name)).join(', ')} FROM ${qualified(table)}`,
  );
  const looked = await lookedAround(stage, { again, reads });
  return looked === undefined
    ? undefined
    : difference(stage, { tables, viewer: again.viewer, before: looked.before, after: looked.after });
}

/**
 * Whether statements in a role's name leave more rows of a table with these values than there were: a trigger may have
 * written other ones than the statement said. Rolled back.
 */
export async function leavesRows(
  stage: Stage,
  again: Again & { readonly table: Target; readonly values: Row['values'] },
): Promise<boolean> {
  const meets = Object.entries(again.values).map(([name, value]) => `${ident(name)} = ${valueSql(value)}`);
  const counts = [`SELECT count(*), 1 AS one FROM ${qualified(again.table)} WHERE ${meets.join(' AND ')}`];
  const looked = await lookedAround(stage, { again, reads: counts });
  const [before, after] = [looked?.before, looked?.after].map((tables) => Number(tables?.[0]?.rows[0]?.[0]));
  return looked !== undefined && Number(after) > Number(before);
}

/** What reads of a superuser give before and after statements in a role's name; undefined: a statement failed. */
async function lookedAround(
  stage: Stage,
  { again, reads }: { again: Again; reads: readonly string[] },
): Promise<{ before: readonly Table[]; after: readonly Table[] } | undefined> {
  const prepared = (again.prepare ?? []).length > 0;
  const through = stage.crews.find(({ role }) => role === again.role)?.through;
  const before = [
    `BEGIN; ${ALIKE}`,
    ...(prepared ? ['SET LOCAL session_replication_role = replica', ...(again.prepare ?? [])] : []),
    ...(prepared ? ['SET LOCAL session_replication_role = origin'] : []),
    ...reads,
    await roleSettingsSql(stage, through ?? again.role),
    `SET LOCAL SESSION AUTHORIZATION ${ident(through ?? again.role)}`,
    ...(through === undefined ? [] : [`SET LOCAL ROLE ${ident(again.role)}`]),
  ];
  const after = [
    'SET CONSTRAINTS ALL IMMEDIATE',
    'RESET ROLE',
    'RESET SESSION AUTHORIZATION',
    'SET LOCAL row_security = on',
    ...reads,
  ];
  const client = await stage.copy.pool.connect();
  try {
    const first = await all(client, before.filter((one) => one !== '').join('; '));
    await client.query(`${settingsSql(again.settings)} SELECT 1`);
    await client.query(again.statements.join('; '));
    const last = await all(client, after.join('; '));
    return { before: last4(first, reads.length), after: last.slice(-reads.length) };
  } catch {
    return undefined;
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    await client.query('RESET SESSION AUTHORIZATION').catch(() => undefined);
    client.release();
  }
}

/** The reads' results: they stand before what hands the session over. */
function last4(results: readonly Table[], count: number): readonly Table[] {
  const reads = results.filter((result) => result.command === 'SELECT' && result.fields.length > 1);
  return reads.slice(-count);
}

type Table = QueryArrayResult<(string | null)[]>;

async function all(client: PoolClient, sql: string): Promise<readonly Table[]> {
  const raw: unknown = await client.query<(string | null)[]>({
    text: sql,
    rowMode: 'array',
    types: { getTypeParser: () => (value: unknown) => value },
  });
  return (Array.isArray(raw) ? raw : [raw]) as Table[];
}

interface Compared {
  readonly tables: readonly Target[];
  readonly viewer: World | undefined;
  readonly before: readonly Table[];
  readonly after: readonly Table[];
}

function difference(stage: Stage, { tables, viewer, before, after }: Compared): string | undefined {
  const found: string[] = [];
  for (const [at, table] of tables.entries()) {
    const names = table.columns.map((column) => column.name);
    const old = new Map((before[at]?.rows ?? []).map((row) => [row[0] ?? '', row]));
    const now = new Map((after[at]?.rows ?? []).map((row) => [row[0] ?? '', row]));
    const ownerOf = (row: readonly (string | null)[]): number | undefined => {
      const result = { command: '', columns: names, rows: [row.slice(1)], count: 1 };
      if (stage.witness.inTable(table.root, result, viewer) !== undefined) return -1;
      const values = Object.fromEntries(names.map((name, place) => [name, row[place + 1] ?? null]));
      return stage.witness.ownerOf(table, values);
    };
    const foreign = (row: readonly (string | null)[]): boolean => {
      const owner = ownerOf(row);
      return owner !== undefined && owner !== 0 && owner !== viewer?.number;
    };
    const gone = [...old].filter(([place, row]) => !now.has(place) && foreign(row)).length;
    const added = [...now].filter(([place, row]) => !old.has(place) && foreign(row)).length;
    if (gone > 0 && added > 0) found.push(`${rowsOf(gone)} changed in ${label(table)}`);
    else if (gone > 0) found.push(`${rowsOf(gone)} gone from ${label(table)}`);
    else if (added > 0) found.push(`${rowsOf(added)} made in ${label(table)}`);
  }
  return found.length === 0 ? undefined : found.join('; ');
}

function rowsOf(count: number): string {
  return `${count} ${count === 1 ? 'row' : 'rows'} of another owner`;
}

/** Tables that hold rows of owners; partitions are read through their parent. */
export function ownedTables(stage: Pick<Stage, 'targets' | 'witness'>): readonly Target[] {
  return stage.targets.filter(
    (one) =>
      !one.partition &&
      (one.kind === 'r' || one.kind === 'p') &&
      stage.witness.others(one, undefined).length > 0,
  );
}

/** What a change of one table may change: itself, what refers to it however far, and what triggers speak of. */
function changeable(stage: Stage, table: Target): readonly Target[] {
  const owned = ownedTables(stage);
  const reached = new Set([label(table)]);
  for (const name of reached) {
    for (const one of owned)
      if (one.references.some((key) => label(key.to) === name)) reached.add(label(one));
  }
  const own = stage.targets.filter((one) => reached.has(label(one.root)));
  if (own.some((one) => one.rules > 0)) return owned;
  if (own.every((one) => one.triggers === 0)) return owned.filter((one) => reached.has(label(one)));
  const bodies = stage.routines.filter((one) => one.trigger).map((one) => one.body);
  // What a trigger says itself is enough only where it builds no statement and calls no function.
  const deeper = bodies.some(
    (body) =>
      /\bEXECUTE\b|\bCALL\b/i.test(body) ||
      stage.routines.some((one) => !one.trigger && calls(body, one.name)),
  );
  if (deeper) return owned;
  return owned.filter((one) => reached.has(label(one)) || bodies.some((body) => body.includes(one.name)));
}

const ROLE_SETTINGS_SQL = `
  SELECT pg_catalog.format('SELECT pg_catalog.set_config(%L, %L, true)', pg_catalog.split_part(c, '=', 1),
                           pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)) AS sql
  FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c
  WHERE (s.setrole = 0 OR s.setrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1))
    AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
    AND pg_catalog.split_part(c, '=', 1) NOT IN ('role', 'session_authorization', 'statement_timeout', 'lock_timeout')
  ORDER BY s.setrole = 0 DESC, s.setdatabase = 0 DESC`;

async function roleSettingsSql(stage: Stage, role: string): Promise<string> {
  const rows = await stage.copy.query<{ sql: string }>(ROLE_SETTINGS_SQL, [role]);
  return rows.map((row) => row.sql).join('; ');
}

/**
 * Takes a row out for the time of `work`, so that a statement may make it again without breaking a key or a check.
 * Triggers and foreign keys stand still while it is taken out and put back; both are committed, as sessions must see it.
 * @returns false when the row cannot be taken out; `work` was not called
 */
export async function without(
  stage: Stage,
  one: { of: Target; row: Row },
  work: () => Promise<void>,
): Promise<boolean> {
  const { of, row } = one;
  const quiet = stubborn(stage, of);
  const remove = `DELETE FROM ${qualified(of)} WHERE ${whereRow(of, row)}`;
  if (!(await committed(stage, { ...quiet, sql: remove, expected: 1 }))) return false;
  try {
    await work();
  } finally {
    const values = Object.fromEntries(
      Object.entries(row.values).filter(([name]) =>
        of.columns.some((column) => column.name === name && !column.generated),
      ),
    );
    await committed(stage, { ...quiet, sql: insertSql(of, values), expected: 1 });
  }
  return true;
}

/** Gives a row other values for the time of `work`, as {@link without} takes one out. */
export async function altered(
  stage: Stage,
  { of, row, values }: { of: Target; row: Row; values: Row['values'] },
  work: () => Promise<void>,
): Promise<void> {
  const set = (from: Row['values']): string =>
    Object.keys(values)
      .map((name) => `${ident(name)} = ${valueSql(from[name])}`)
      .join(', ');
  const quiet = stubborn(stage, of);
  const changed = { values: { ...row.values, ...values } };
  const sql = `UPDATE ${qualified(of)} SET ${set(values)} WHERE ${whereRow(of, row)}`;
  if (!(await committed(stage, { ...quiet, sql, expected: 1 }))) return;
  try {
    await work();
  } finally {
    const back = `UPDATE ${qualified(of)} SET ${set(row.values)} WHERE ${whereRow(of, { ...row, ...changed })}`;
    await committed(stage, { ...quiet, sql: back, expected: 1 });
  }
}

/** Statements that still triggers which run in every session, and that put them back as they were. */
function stubborn(stage: Stage, of: RelationName): { before: string[]; after: string[] } {
  const tree = stage.targets.filter(
    (one) => label(one.root) === label(of) && one.kind !== 'v' && one.kind !== 'm',
  );
  const triggers = tree.flatMap((one) => one.stubborn.map((trigger) => ({ one, trigger })));
  return {
    before: triggers.map(
      ({ one, trigger }) => `ALTER TABLE ONLY ${qualified(one)} DISABLE TRIGGER ${ident(trigger.name)}`,
    ),
    after: triggers.map(
      ({ one, trigger }) =>
        `ALTER TABLE ONLY ${qualified(one)} ENABLE ${trigger.mode === 'A' ? 'ALWAYS' : 'REPLICA'} TRIGGER ${ident(trigger.name)}`,
    ),
  };
}

/** Runs one statement of the superuser with triggers and foreign keys off; keeps it when it touched as many rows as expected. */
export async function committed(
  stage: Pick<Stage, 'copy'>,
  one: { before: readonly string[]; sql: string; after: readonly string[]; expected: number },
): Promise<boolean> {
  const client = await stage.copy.pool.connect();
  try {
    await client.query(
      ['BEGIN', ALIKE, 'SET LOCAL session_replication_role = replica', ...one.before].join('; '),
    );
    const { rowCount } = await client.query(one.sql);
    const kept = rowCount === one.expected;
    await client.query(kept ? [...one.after, 'COMMIT'].join('; ') : 'ROLLBACK');
    return kept;
  } catch {
    await client.query('ROLLBACK').catch(() => undefined);
    return false;
  } finally {
    client.release();
  }
}

/** A literal or NULL. */
export function valueSql(value: string | null | undefined): string {
  return value == null ? 'NULL' : literal(value);
}
