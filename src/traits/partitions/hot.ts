// Indexes that fresh partitions alone carry: made with the partition, or concurrently on one that exists; dropped with age.
import { label, type IndexElement, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery, Settlement, SettlementStatement } from '../../define/trait.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { objectName } from '../name.ts';
import { columnOf } from '../reference.ts';
import type { HotIndex } from './index.ts';
import { shift, startOf } from './period.ts';
import type { Existing } from './reading.ts';
import type { Asked } from './settle.ts';

interface Scene {
  readonly asked: Asked;
  readonly now: Date;
}

const INDEXES_SQL = `
  SELECT tn.nspname AS schema, t.relname AS partition, c.relname AS name, x.indisvalid AS valid
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = t.oid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE pn.nspname = $1 AND p.relname = $2`;

/** Statements for a partition that is being made: it is empty, so a plain index costs nothing. */
export function hotStatements(partition: Existing, scene: Scene): readonly string[] {
  if (!isHot(partition, scene)) return [];
  return hotIndexes(scene).map((index) => createIndex(partition, { index, how: '' }));
}

/**
 * What hot partitions that exist lack, and what cold ones still carry. Each is built or dropped concurrently, as a
 * top-level statement; a name that stands for an invalid index is what a cut-off build left, and is dropped first.
 */
export async function hotSettlements(
  query: CatalogueQuery,
  scene: Scene & { readonly partitions: readonly Existing[] },
): Promise<readonly Settlement[]> {
  const wanted = hotIndexes(scene);
  if (wanted.length === 0) return [];
  const { of } = scene.asked;
  const rows = await query<{ schema: string; partition: string; name: string; valid: boolean }>(INDEXES_SQL, [
    of.schema,
    of.name,
  ]);
  const found: Settlement[] = [];
  for (const partition of scene.partitions) {
    for (const index of wanted) {
      const name = indexName(partition, index);
      const row = rows.find(
        (one) => one.schema === partition.schema && one.partition === partition.name && one.name === name,
      );
      const hot = isHot(partition, scene);
      if (hot && row?.valid !== true) found.push(build(partition, { index, remains: row !== undefined }));
      if (!hot && row !== undefined) found.push(drop(partition, index));
    }
  }
  return found;
}

function hotIndexes(scene: Scene): readonly HotIndex[] {
  return scene.asked.options.hot?.indexes ?? [];
}

/** Hot: the running period, those ahead of it, and so many before it that `newest` have been reached. */
function isHot(partition: Existing, { asked, now }: Scene): boolean {
  const { every, hot } = asked.options;
  const oldest = shift(every, startOf(every, now.getTime()), 1 - (hot?.newest ?? 2));
  return partition.toMs > oldest;
}

function build(partition: Existing, by: { readonly index: HotIndex; readonly remains: boolean }): Settlement {
  const { index } = by;
  const locking = lockingOf(partition);
  return {
    subject: `index ${indexName(partition, index)} on ${label(partition)}`,
    statements: [
      ...(by.remains ? [{ ...dropping(partition, index), ...locking }] : []),
      { ...building(partition, index), ...locking },
    ],
    back: [dropping(partition, index)],
  };
}

function drop(partition: Existing, index: HotIndex): Settlement {
  return {
    subject: `index ${indexName(partition, index)} on ${label(partition)}`,
    statements: [{ ...dropping(partition, index), ...lockingOf(partition) }],
    back: [building(partition, index)],
  };
}

function lockingOf(partition: RelationName): Pick<Settlement['statements'][number], 'lock' | 'on'> {
  return { lock: 'SHARE UPDATE EXCLUSIVE', on: { schema: partition.schema, name: partition.name } };
}

// Cut off, a concurrent build leaves its index invalid, and one that is being dropped may be left so.
function building(partition: RelationName, index: HotIndex): SettlementStatement {
  return {
    sql: createIndex(partition, { index, how: ' CONCURRENTLY' }),
    transactional: false,
    doneWhen: `SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indisvalid AND indexrelid = ${regclass(partition, index)}) AS done`,
    cleanUp: [dropIndex(partition, index)],
  };
}

function dropping(partition: RelationName, index: HotIndex): SettlementStatement {
  return {
    sql: dropIndex(partition, index),
    transactional: false,
    doneWhen: `SELECT ${regclass(partition, index)} IS NULL AS done`,
  };
}

function regclass(partition: RelationName, index: HotIndex): string {
  const name = qualified({ schema: partition.schema, name: indexName(partition, index) });
  return `pg_catalog.to_regclass(${literal(name)})`;
}

function indexName(partition: RelationName, index: HotIndex): string {
  return objectName(`${partition.name}_${index.name}`);
}

function dropIndex(partition: RelationName, index: HotIndex): string {
  return `DROP INDEX CONCURRENTLY IF EXISTS ${qualified({ schema: partition.schema, name: indexName(partition, index) })}`;
}

function createIndex(
  partition: RelationName,
  by: { readonly index: HotIndex; readonly how: string },
): string {
  const { index, how } = by;
  return [
    `CREATE ${index.unique === true ? 'UNIQUE ' : ''}INDEX${how} ${ident(indexName(partition, index))}`,
    `ON ${qualified(partition)} USING ${ident(index.using ?? 'btree')} (${index.on.map(element).join(', ')})`,
    ...(index.include === undefined
      ? []
      : [`INCLUDE (${index.include.map((column) => ident(columnOf(column))).join(', ')})`]),
    ...(index.where === undefined ? [] : [`WHERE ${index.where}`]),
  ].join(' ');
}

function element(one: string | IndexElement): string {
  if (typeof one === 'string') return ident(one);
  return [
    one.column === undefined ? `(${one.expression ?? ''})` : ident(one.column),
    ...(one.collation === undefined ? [] : [`COLLATE ${one.collation}`]),
    ...(one.opclass === undefined ? [] : [one.opclass]),
    ...(one.order === undefined ? [] : [one.order.toUpperCase()]),
    ...(one.nulls === undefined ? [] : [`NULLS ${one.nulls.toUpperCase()}`]),
  ].join(' ');
}
