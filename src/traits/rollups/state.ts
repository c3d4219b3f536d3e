// What every rollup of a schema has in common: one table that remembers where each stands, one view that says how old.
import {
  type Column,
  label,
  type Model,
  type RelationName,
  type Statement,
  type Table,
  type View,
} from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';

/** The table that remembers, in the rollup's schema; one row a rollup. */
export function stateOf(of: RelationName): RelationName {
  return { schema: of.schema, name: 'rollup_state' };
}

/** The view that tells readers how old a rollup is, in the rollup's schema. */
export function ageOf(of: RelationName): RelationName {
  return { schema: of.schema, name: 'rollup_age' };
}

/**
 * The model with the table and the view of one rollup's schema, each once, and who may read the view.
 * The view runs with the rights of the role that refreshes: it names no tenant and holds no row of a rollup.
 */
export function withState(
  model: Model,
  by: { readonly of: RelationName; readonly owner: string },
): { readonly model: Model; readonly statements: readonly Statement[] } {
  const { of, owner } = by;
  const state = stateOf(of);
  const age = ageOf(of);
  const tables = withTables(model, [stateTable(state)]);
  const there = tables.views.some((view) => view.schema === age.schema && view.name === age.name);
  const views = there ? tables.views : [...tables.views, ageView(age, { state, owner })];
  const statement = {
    sql: `GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE ${qualified(state)} TO ${ident(owner)}`,
    subject: `table ${label(state)}`,
    origin: 'trait rollups',
    phase: 'after' as const,
  };
  return { model: { ...tables, views }, statements: [statement] };
}

/** Statements that let roles read how old the rollups of a schema are. */
export function ageGrants(of: RelationName, readers: readonly string[]): readonly Statement[] {
  if (readers.length === 0) return [];
  const view = ageOf(of);
  const origin = 'trait rollups';
  const to = [...new Set(readers)].sort();
  return to.flatMap((role) => [
    {
      sql: `GRANT USAGE ON SCHEMA ${ident(of.schema)} TO ${ident(role)}`,
      subject: `schema ${of.schema}`,
      origin,
      phase: 'after' as const,
    },
    {
      sql: `GRANT SELECT ON TABLE ${qualified(view)} TO ${ident(role)}`,
      subject: `view ${label(view)}`,
      origin,
      phase: 'after' as const,
    },
  ]);
}

/** The model with these tables behind all others, those of promises in the order of their names. */
export function withTables(model: Model, tables: readonly Table[]): Model {
  const fresh = tables.filter((one) => !model.tables.some((table) => label(table) === label(one)));
  if (fresh.length === 0) return model;
  const ours = [...model.tables.filter((table) => table.internal === true), ...fresh];
  ours.sort((left, right) => (label(left) < label(right) ? -1 : 1));
  return { ...model, tables: [...model.tables.filter((table) => table.internal !== true), ...ours] };
}

/** A table of a trait's own: no keys, no policies unless another promise adds them. */
export function ownTable(of: RelationName, columns: readonly Column[]): Table {
  return {
    ...of,
    columns,
    uniques: [],
    foreignKeys: [],
    checks: [],
    exclusions: [],
    indexes: [],
    policies: [],
    rowSecurity: 'off',
    internal: true,
  };
}

function stateTable(of: RelationName): Table {
  return {
    ...ownTable(of, [
      { name: 'rollup', type: 'text', notNull: true },
      { name: 'refreshed_at', type: 'timestamptz', notNull: false },
      { name: 'rows', type: 'bigint', notNull: false },
      { name: 'late', type: 'bigint', notNull: true, default: '0' },
      { name: 'closed', type: 'tstzmultirange', notNull: true, default: "'{}'::tstzmultirange" },
      { name: 'meaning', type: 'text', notNull: false },
    ]),
    primaryKey: { name: 'rollup_state_pkey', columns: ['rollup'] },
    comment: 'Where each rollup of this schema stands. Kept by Holdfast.',
  };
}

function ageView(of: RelationName, by: { readonly state: RelationName; readonly owner: string }): View {
  return {
    ...of,
    query: `SELECT rollup, refreshed_at FROM ${qualified(by.state)}`,
    materialized: false,
    with: { security_barrier: 'true' },
    indexes: [],
    columns: ['rollup', 'refreshed_at'],
    owner: by.owner,
    comment:
      'When each rollup of this schema was last brought up to date: everything committed before is in it.',
  };
}
