// Lowers retention to the archive's table, the function that closes what leaves, and an index that finds old rows.
import {
  findTable,
  type Column,
  type Index,
  label,
  mapTables,
  type Model,
  type RelationName,
  type Statement,
  type Table,
} from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { withStatements } from '../addition.ts';
import { freeze } from '../immutability/build.ts';
import { objectName } from '../name.ts';
import { archiveName, type Asked, termsOf, type Terms } from './terms.ts';

/** The trigger that closes a partition which is about to leave. */
export const LEAVING = 'holdfast_r_leaving';

/** The function of that trigger; one a schema. */
export function leavingFunction(of: RelationName): RelationName {
  return { schema: of.schema, name: 'holdfast_leaving' };
}

/**
 * The model with the archive's table. It is partitioned by the same column, so that a partition which leaves becomes a
 * partition of it without being copied, and everything archived is read under one name and one row security. Its columns
 * may be NULL, but for that column, and have no defaults: a column that the table gets later is NULL in older rows. It has no foreign keys:
 * archived rows must keep nobody from deleting what they point at.
 */
export function archived(model: Model, asked: Asked): Model {
  const terms = termsOf(model, asked);
  const source = findTable(model, asked.of);
  if (terms === undefined || source === undefined) return model;
  const indexed = terms.byRow
    ? mapTables(
        model,
        (one) => one === source,
        (one) => withIndex(one, terms),
      )
    : model;
  const closing = withStatements(indexed, leavingStatements(model, terms));
  if (terms.archive === undefined) return closing;
  const table = archiveTable(source, terms);
  const schemas = closing.schemas.includes(table.schema)
    ? closing.schemas
    : [...closing.schemas, table.schema];
  const tables = findTable(closing, table) === undefined ? [...closing.tables, table] : closing.tables;
  const made = withStatements({ ...closing, schemas, tables }, readerGrants(asked));
  if (source.refuses === undefined) return made;
  return owned(freeze(made, { of: table, options: { kind: 'append-only' } }), table);
}

function archiveTable(source: Table, terms: Terms): Table {
  const { columns } = source.primaryKey ?? { columns: [] };
  const name = archiveNameOf(terms);
  return {
    ...name,
    columns: source.columns.map((column) => archivedColumn(column, terms)),
    uniques: [],
    foreignKeys: [],
    checks: [],
    exclusions: [],
    // A partition that leaves brings its own indexes; only rows that come one by one need one to be found again.
    indexes:
      terms.partitioned || columns.length === 0
        ? []
        : [plainIndex(objectName(`${name.name}_archived_key`), columns)],
    policies: source.policies,
    rowSecurity: source.rowSecurity,
    partitionBy: { method: 'range', columns: [terms.by], every: terms.every },
    archiveOf: terms.of,
    comment: `Rows that have left ${label(terms.of)}.`,
  };
}

function archiveNameOf(terms: Terms): RelationName {
  return terms.archive?.of ?? terms.of;
}

const SERIAL: Readonly<Record<string, string>> = {
  smallserial: 'smallint',
  serial2: 'smallint',
  serial: 'integer',
  serial4: 'integer',
  bigserial: 'bigint',
  serial8: 'bigint',
};

/** A generated value is computed alike on both sides of a move of partitions; rows that are copied carry theirs. */
function archivedColumn(column: Column, terms: Terms): Column {
  return {
    name: column.name,
    type: SERIAL[column.type.trim().toLowerCase()] ?? column.type,
    // The time a row leaves by is never NULL, and no partition would take it.
    notNull: column.name === terms.by,
    ...(column.collation !== undefined && { collation: column.collation }),
    ...(terms.partitioned && column.generated !== undefined && { generated: column.generated }),
  };
}

/** Without an index that begins with the time, each batch would read the table from its start. */
function withIndex(table: Table, terms: Terms): Table {
  if (table.indexes.some((one) => one.elements[0]?.column === terms.by && one.where === undefined))
    return table;
  return {
    ...table,
    indexes: [...table.indexes, plainIndex(objectName(`${table.name}_retention`), [terms.by])],
  };
}

function plainIndex(name: string, columns: readonly string[]): Index {
  return { name, unique: false, method: 'btree', elements: columns.map((column) => ({ column })) };
}

/**
 * A partition that is about to leave takes no row any more: what was summed up of it stays what it holds. The refusal has
 * the SQLSTATE that an insert gets when no partition is there, which is what follows.
 */
function leavingStatements(model: Model, terms: Terms): Statement[] {
  const of = leavingFunction(terms.of);
  const sql = `CREATE FUNCTION ${qualified(of)}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $holdfast$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = '23514',
    MESSAGE = format('%s on %I.%I refused: its rows are leaving for the archive', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
    HINT = 'Rows this old are no longer written; see the retention of the table.',
    SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END
$holdfast$`;
  const subject = `function ${label(of)}()`;
  const about = { subject, origin: 'trait retention', phase: 'before' as const };
  return [
    { ...about, sql },
    { ...about, sql: `REVOKE ALL ON FUNCTION ${qualified(of)}() FROM PUBLIC` },
    ...ownerOf(model, of),
  ];
}

function ownerOf(model: Model, of: RelationName): Statement[] {
  if (model.owner === undefined) return [];
  const sql = `ALTER FUNCTION ${qualified(of)}() OWNER TO ${ident(model.owner)}`;
  return [{ sql, subject: `function ${label(of)}()`, origin: 'trait retention', phase: 'after' }];
}

/** The functions that keep archived rows as they are belong to the model's owner, like those of the table itself. */
function owned(model: Model, archive: RelationName): Model {
  const functions = ['holdfast_append_only', 'holdfast_refuse_truncate'];
  return withStatements(
    model,
    functions.flatMap((name) => ownerOf(model, { schema: archive.schema, name })),
  );
}

function readerGrants(asked: Asked): Statement[] {
  const readers = asked.options.archive?.readers ?? [];
  if (readers.length === 0) return [];
  const of = archiveName(asked);
  const to = readers.map(ident).join(', ');
  const about = { origin: `trait retention on ${label(asked.of)}`, phase: 'after' as const };
  return [
    { ...about, sql: `GRANT USAGE ON SCHEMA ${ident(of.schema)} TO ${to}`, subject: `schema ${of.schema}` },
    { ...about, sql: `GRANT SELECT ON TABLE ${qualified(of)} TO ${to}`, subject: `table ${label(of)}` },
  ];
}
