// The facets about one table or view, in the order a reader of CREATE TABLE meets them. Given to `on`.
import { is, SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { HoldfastError } from '../error.ts';
import { ident, literal, qualified } from '../sql.ts';
import type { Expressions } from './drizzle/expression.ts';
import { storedName } from './drizzle/name.ts';
import { missing, type RelationFacet } from './facet.ts';
import { label, type Column, type ForeignKey, type Index, type KeyConstraint, type Table } from './model.ts';

/** When a deferrable constraint is checked unless the transaction says otherwise. */
export type Deferral = NonNullable<KeyConstraint['deferrable']>;

/** The table's rows are not written ahead: fast, and empty after a crash. */
export function unlogged(): RelationFacet {
  return { subject: 'unlogged', table: (table) => ({ ...table, unlogged: true }) };
}

/**
 * Storage parameters: `storage({ fillfactor: 70, 'toast.autovacuum_enabled': false })`.
 * @param parameters PostgreSQL's own words, added to those already said
 */
export function storage(parameters: Readonly<Record<string, string | number | boolean>>): RelationFacet {
  const text = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  return {
    subject: 'storage',
    table: (table) => ({ ...table, storage: { ...table.storage, ...text } }),
    view: (view) => ({ ...view, with: { ...view.with, ...text } }),
  };
}

/** A column's collation, as PostgreSQL names it: `C`, `und-x-icu`, `pg_catalog.en_US.utf8`. */
export function collate(column: PgColumn, collation: string): RelationFacet {
  return changeColumn(`collate ${column.name}`, column, (one) => ({ ...one, collation }));
}

/** A generated column is computed when it is read and takes no room (PostgreSQL 18 and later). */
export function virtual(column: PgColumn): RelationFacet {
  return changeColumn(`virtual ${column.name}`, column, (one) => {
    if (one.generated !== undefined) return { ...one, generated: { ...one.generated, kind: 'virtual' } };
    throw new HoldfastError({
      code: 'HF_FACET',
      subject: `virtual ${column.name}`,
      what: 'the column is not generated.',
      fix: 'Give it .generatedAlwaysAs(…), or take the facet out.',
    });
  });
}

/**
 * Columns an index, unique constraint or primary key carries along without sorting by them (INCLUDE), so that a query
 * for them need not visit the table.
 * @param name of the index or constraint; an unnamed primary key is `<table>_pkey`
 */
export function covering(name: string, ...columns: readonly PgColumn[]): RelationFacet {
  return {
    subject: `covering ${name}`,
    table: (table, read) => {
      const include = columns.map((column) => known(table, column, read).name);
      return changeKey(table, name, {
        subject: 'covering',
        key: (key) => ({ ...key, include }),
        index: (index) => ({ ...index, include }),
      });
    },
  };
}

/**
 * A unique index treats NULLs as equal, as `unique().nullsNotDistinct()` does for a constraint.
 * @param name of the unique index
 */
export function nullsNotDistinct(name: string): RelationFacet {
  return {
    subject: `nullsNotDistinct ${name}`,
    table: (table) =>
      changeKey(table, name, {
        subject: 'nullsNotDistinct',
        key: (key) => ({ ...key, nullsNotDistinct: true }),
        index: (index) => ({ ...index, nullsNotDistinct: true }),
      }),
  };
}

/**
 * A foreign key, unique constraint or primary key that a transaction may have checked at its end.
 * @param name of the constraint
 */
export function deferrable(name: string, deferral: Deferral = 'initially deferred'): RelationFacet {
  return {
    subject: `deferrable ${name}`,
    table: (table) =>
      table.foreignKeys.some((one) => one.name === name)
        ? changeForeignKey(table, name, (one) => ({ ...one, deferrable: deferral }))
        : changeKey(table, name, { subject: 'deferrable', key: (key) => ({ ...key, deferrable: deferral }) }),
  };
}

/** A composite foreign key whose columns are all NULL or all set (MATCH FULL). */
export function matchFull(name: string): RelationFacet {
  return {
    subject: `matchFull ${name}`,
    table: (table) => changeForeignKey(table, name, (one) => ({ ...one, match: 'full' })),
  };
}

/**
 * Which columns ON DELETE SET NULL or SET DEFAULT touches: a tenant stays when only the reference goes.
 * @see https://www.postgresql.org/docs/current/sql-createtable.html (PostgreSQL 15 and later)
 */
export function onDeleteSetOnly(name: string, ...columns: readonly PgColumn[]): RelationFacet {
  return {
    subject: `onDeleteSetOnly ${name}`,
    table: (table, read) => {
      const names = columns.map((column) => known(table, column, read).name);
      return changeForeignKey(table, name, (one) => ({ ...one, onDeleteColumns: names }));
    },
  };
}

/** What an exclusion constraint says: no two rows for which all these operators hold. */
export interface ExclusionOptions {
  /** Index method; default `gist`. */
  readonly using?: string;
  /** A column or expression with the operator that may not hold: `[t.room, '=']`. */
  readonly elements: readonly (readonly [PgColumn | SQL, string])[];
  readonly where?: SQL;
  readonly deferrable?: Deferral;
}

/** An exclusion constraint: `exclusion('no_overlap', { elements: [[t.room, '='], [t.during, '&&']] })`. */
export function exclusion(name: string, options: ExclusionOptions): RelationFacet {
  return {
    subject: `exclusion ${name}`,
    table: (table, read) => {
      const elements = options.elements.map(([of, operator]) => {
        const key = is(of, SQL) ? read.indexText(of) : ident(known(table, of, read).name);
        return `${key} WITH ${operator}`;
      });
      const entry = {
        name: storedName(name),
        using: options.using ?? 'gist',
        elements,
        ...(options.where && { where: read.indexText(options.where) }),
        ...(options.deferrable && { deferrable: options.deferrable }),
      };
      return { ...table, exclusions: [...table.exclusions, entry] };
    },
  };
}

/** Row security holds for the table's owner too. */
export function forceRowSecurity(): RelationFacet {
  return { subject: 'forceRowSecurity', table: (table) => ({ ...table, rowSecurity: 'forced' }) };
}

/** What a comment is about when it is not the table or view itself. */
export type CommentTarget = PgColumn | { readonly index: string } | { readonly constraint: string };

/** A comment in the catalogue: `comment('…')`, `comment('…', t.total)`, `comment('…', { index: 'orders_by_day' })`. */
export function comment(text: string, about?: CommentTarget): RelationFacet {
  if (about === undefined) {
    return {
      subject: 'comment',
      table: (table) => ({ ...table, comment: text }),
      view: (view) => ({ ...view, comment: text }),
    };
  }
  if ('index' in about) return indexComment(text, about.index);
  if ('constraint' in about) return constraintComment(text, about.constraint);
  return changeColumn(`comment ${about.name}`, about, (column) => ({ ...column, comment: text }));
}

/** What a trigger says. */
export interface TriggerOptions {
  readonly fires: 'before' | 'after' | 'instead of';
  readonly events: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  /** Columns whose UPDATE fires it; default: any. */
  readonly of?: readonly PgColumn[];
  readonly forEach?: 'row' | 'statement';
  /** Condition over OLD and NEW. */
  readonly when?: SQL;
  /** The call, as SQL: `app.touch()`. */
  readonly execute: string;
}

/** A trigger: `trigger('touch', { fires: 'before', events: ['update'], execute: 'app.touch()' })`. */
export function trigger(name: string, options: TriggerOptions): RelationFacet {
  return {
    subject: `trigger ${name}`,
    statement: (relation, read) => {
      const of = (options.of ?? []).map((column) => ident(storedName(read.columnName(column)))).join(', ');
      const events = options.events.map((event) =>
        event === 'update' && of !== '' ? `UPDATE OF ${of}` : event.toUpperCase(),
      );
      const sql = [
        `CREATE TRIGGER ${ident(name)} ${options.fires.toUpperCase()} ${events.join(' OR ')}`,
        `ON ${qualified(relation)} FOR EACH ${(options.forEach ?? 'row').toUpperCase()}`,
        ...(options.when ? [`WHEN (${read.text(options.when)})`] : []),
        `EXECUTE FUNCTION ${options.execute}`,
      ].join(' ');
      const subject = `trigger ${name} on ${label(relation)}`;
      return { sql, subject, origin: `facet ${subject}`, phase: 'after' };
    },
  };
}

/** A unique index of a materialised view: what a row of it is, and what a refresh while it is read needs. */
export function key(name: string, ...columns: readonly PgColumn[]): RelationFacet {
  return viewIndex(name, true, columns);
}

/** An index of a materialised view, for which Drizzle has no word. */
export function indexed(name: string, ...columns: readonly PgColumn[]): RelationFacet {
  return viewIndex(name, false, columns);
}

function viewIndex(name: string, unique: boolean, columns: readonly PgColumn[]): RelationFacet {
  return {
    subject: `${unique ? 'key' : 'indexed'} ${name}`,
    view: (view, read) => {
      const elements = columns.map((column) => ({ column: storedName(read.columnName(column)) }));
      const index: Index = { name: storedName(name), unique, method: 'btree', elements };
      return { ...view, indexes: [...view.indexes, index] };
    },
  };
}

function changeColumn(subject: string, column: PgColumn, change: (column: Column) => Column): RelationFacet {
  return {
    subject,
    table: (table, read) => {
      const found = known(table, column, read);
      return { ...table, columns: table.columns.map((one) => (one === found ? change(one) : one)) };
    },
  };
}

function known(table: Table, column: PgColumn, read: Expressions): Column {
  const name = storedName(read.columnName(column));
  const found = table.columns.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((one) => one.name);
  throw missing(`column ${name} on ${label(table)}`, 'the table has no such column.', names);
}

interface KeyChange {
  readonly subject: string;
  readonly key: (key: KeyConstraint) => KeyConstraint;
  readonly index?: (index: Index) => Index;
}

function changeKey(table: Table, name: string, change: KeyChange): Table {
  const primaryName = table.primaryKey?.name ?? storedName(`${table.name}_pkey`);
  if (table.primaryKey !== undefined && primaryName === name) {
    return { ...table, primaryKey: change.key(table.primaryKey) };
  }
  if (table.uniques.some((one) => one.name === name)) {
    return { ...table, uniques: table.uniques.map((one) => (one.name === name ? change.key(one) : one)) };
  }
  const onIndex = change.index;
  if (onIndex !== undefined && table.indexes.some((one) => one.name === name)) {
    return { ...table, indexes: table.indexes.map((one) => (one.name === name ? onIndex(one) : one)) };
  }
  const names = [
    ...(table.primaryKey ? [primaryName] : []),
    ...table.uniques.map((one) => one.name ?? ''),
    ...(onIndex ? table.indexes.map((one) => one.name) : table.foreignKeys.map((one) => one.name ?? '')),
  ];
  throw missing(
    `${change.subject} ${name} on ${label(table)}`,
    'the table has nothing of that name that it could be said of.',
    names,
  );
}

function changeForeignKey(table: Table, name: string, change: (one: ForeignKey) => ForeignKey): Table {
  if (!table.foreignKeys.some((one) => one.name === name)) {
    const names = table.foreignKeys.map((one) => one.name ?? '');
    throw missing(`foreign key ${name} on ${label(table)}`, 'the table has no such foreign key.', names);
  }
  return { ...table, foreignKeys: table.foreignKeys.map((one) => (one.name === name ? change(one) : one)) };
}

function indexComment(text: string, name: string): RelationFacet {
  const change = <T extends { readonly indexes: readonly Index[] }>(
    owner: T & { schema: string; name: string },
  ): T => {
    if (!owner.indexes.some((one) => one.name === name)) {
      const names = owner.indexes.map((one) => one.name);
      throw missing(`comment on index ${name} on ${label(owner)}`, 'it has no such index.', names);
    }
    return {
      ...owner,
      indexes: owner.indexes.map((one) => (one.name === name ? { ...one, comment: text } : one)),
    };
  };
  return { subject: `comment on index ${name}`, table: change, view: change };
}

function constraintComment(text: string, name: string): RelationFacet {
  const subject = `comment on constraint ${name}`;
  return {
    subject,
    statement: (relation) => ({
      sql: `COMMENT ON CONSTRAINT ${ident(name)} ON ${qualified(relation)} IS ${literal(text)}`,
      subject: `${subject} on ${label(relation)}`,
      origin: `facet ${subject} on ${label(relation)}`,
      phase: 'after',
    }),
  };
}
