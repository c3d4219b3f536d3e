// Lowers rollups to a materialised view with a full unique key, an unfiltered owner and a guarded reader.
import {
  type Index,
  label,
  type Model,
  type RelationName,
  type Statement,
  type View,
} from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { ident, qualified } from '../../sql.ts';
import { quietRole, withRoles, withStatements } from '../addition.ts';
import { objectName } from '../name.ts';
import { columnOf, relationOf } from '../reference.ts';
import { settingValue } from '../setting.ts';
import { budgetSeconds } from './budget.ts';
import { functionStatements } from './function.ts';
import type { RollupGuard, RollupsOptions } from './index.ts';
import { mentions } from './mention.ts';
import { refreshFunction } from './refresh.ts';
import { ageGrants, withState } from './state.ts';

/** One materialised view and how it is kept. */
export interface Rollup {
  readonly of: RelationName;
  readonly options: RollupsOptions;
}

/**
 * The model with the view kept. It is made WITH NO DATA and filled after its owner has the rights to read; the guard
 * runs with the owner's rights (a security_invoker view would need the very grant that leaks).
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export function keep(model: Model, rollup: Rollup): Model {
  const { of, options } = rollup;
  const given = model.views.find((view) => same(view, of));
  const view = given ?? (options.query === undefined ? undefined : sqlView(of, options.query));
  if (view === undefined) return model;
  const kept: View = {
    ...view,
    withNoData: true,
    owner: options.refreshedBy,
    indexes: hasFullKey(view, options) ? view.indexes : [...view.indexes, keyIndex(rollup)],
  };
  const views =
    given === undefined ? [...model.views, kept] : model.views.map((one) => (one === given ? kept : one));
  const { guard } = options;
  const guarded = guard === undefined ? [] : [guardView(kept, { guard, owner: options.refreshedBy })];
  const withViews: Model = { ...model, views: guarded.reduce(withView, views) };
  const state = withState(withViews, { of, owner: options.refreshedBy });
  return withStatements(withRoles(state.model, [quietRole(options.refreshedBy, true)]), [
    ...readGrants(withViews, { view: kept, options }),
    ...state.statements,
    ...(guard === undefined ? [] : [...guardGrants(of, guard), ...ageGrants(of, guard.readers)]),
    ...functionStatements(refreshFunction(of, options)),
  ]);
}

/** What is wrong with one rollup. */
export function findings(model: Model, { of, options }: Rollup): readonly Diagnostic[] {
  const subject = `materialised view ${label(of)}`;
  const found: Diagnostic[] = [];
  const add = (code: `HF_${string}`, what: string, fix: string): void => {
    found.push({ code, severity: 'error', subject, what, fix });
  };
  const view = model.views.find((one) => same(one, of));
  if (view === undefined && options.query === undefined) {
    add(
      'HF_TRAIT_TABLE',
      'rollups names it, but the definition has no such view.',
      "Add it to the tables, or give its 'query'.",
    );
  }
  if (view?.materialized === false) {
    add(
      'HF_MATVIEW_KIND',
      'it is a plain view, which is never refreshed.',
      'Make it a materialised view or drop the rollup.',
    );
  }
  if (options.key.length === 0) {
    add(
      'HF_MATVIEW_KEY',
      'it names no key, so it can only be refreshed while nobody reads it.',
      "Name the columns that identify a row in 'key'.",
    );
  }
  const missing = options.key
    .map(columnOf)
    .filter((name) => view?.columns !== undefined && !view.columns.includes(name));
  if (missing.length > 0) {
    add(
      'HF_TRAIT_COLUMN',
      `its key names ${missing.join(', ')}, which the view does not have.`,
      'Name columns of the view.',
    );
  }
  if (options.budget !== undefined && budgetSeconds(options.budget) === undefined) {
    add(
      'HF_ROLLUP_BUDGET',
      `its budget ${JSON.stringify(options.budget)} is no length of time.`,
      "Write it like '15 minutes', '2 hours' or '1 day'.",
    );
  }
  const owner = model.roles.find((role) => role.name === options.refreshedBy);
  if (owner !== undefined && owner.existing !== true && (owner.login || !owner.bypassRls)) {
    add(
      'HF_MATVIEW_OWNER',
      `its owner ${owner.name} ${owner.login ? 'may log in' : 'has no BYPASSRLS'}: under forced row security a refresh would empty the view without an error.`,
      'Own it by a role without login and with BYPASSRLS.',
    );
  }
  return found;
}

function sqlView(of: RelationName, query: string): View {
  return { ...of, query: query.trim().replace(/;$/, ''), materialized: true, indexes: [] };
}

/** Only a unique index on plain columns without a predicate lets a refresh run beside readers. */
function hasFullKey(view: View, options: RollupsOptions): boolean {
  const key = options.key.map(columnOf);
  return view.indexes.some(
    (index) =>
      index.unique &&
      index.where === undefined &&
      index.elements.length === key.length &&
      index.elements.every((element) => element.column !== undefined && key.includes(element.column)),
  );
}

function keyIndex({ of, options }: Rollup): Index {
  return {
    name: objectName(`${of.name}_key`),
    unique: true,
    method: 'btree',
    elements: options.key.map((column) => ({ column: columnOf(column) })),
  };
}

/** The views with this one: in the place of one of its name, else last. */
function withView(views: readonly View[], added: View): readonly View[] {
  if (!views.some((one) => same(one, added))) return [...views, added];
  return views.map((one) => (same(one, added) ? added : one));
}

function guardView(view: View, by: { readonly guard: RollupGuard; readonly owner: string }): View {
  const { guard } = by;
  const columns = view.columns === undefined ? '*' : view.columns.map(ident).join(', ');
  const own = `${ident(columnOf(guard.column))} = ${settingValue(guard.setting, guard.type ?? 'text')}`;
  return {
    schema: view.schema,
    name: guard.name,
    query: `SELECT ${columns} FROM ${qualified(view)} WHERE ${own}`,
    materialized: false,
    with: { security_barrier: 'true' },
    indexes: [],
    owner: by.owner,
    ...(view.columns === undefined ? {} : { columns: view.columns }),
  };
}

function readGrants(
  model: Model,
  by: { readonly view: View; readonly options: RollupsOptions },
): Statement[] {
  const role = ident(by.options.refreshedBy);
  const named = by.options.reads?.map(relationOf);
  const read =
    named ??
    [...model.tables, ...model.views].filter((one) => !same(one, by.view) && mentions(by.view.query, one));
  const schemas = new Set([...read.map((one) => one.schema), by.view.schema]);
  // Another rollup may bring the same grant: its origin is none of them.
  const origin = 'trait rollups';
  return [
    ...[...schemas].map((schema) => ({
      sql: `GRANT USAGE${schema === by.view.schema ? ', CREATE' : ''} ON SCHEMA ${ident(schema)} TO ${role}`,
      subject: `schema ${schema}`,
      origin,
      phase: 'before' as const,
    })),
    ...read.map((one) => ({
      sql: `GRANT SELECT ON TABLE ${qualified(one)} TO ${role}`,
      subject: `table ${label(one)}`,
      origin,
      phase: 'after' as const,
    })),
  ];
}

function guardGrants(of: RelationName, guard: RollupGuard): Statement[] {
  if (guard.readers.length === 0) return [];
  const view = { schema: of.schema, name: guard.name };
  const readers = guard.readers.map(ident).join(', ');
  const origin = `trait rollups on ${label(of)}`;
  return [
    {
      sql: `GRANT USAGE ON SCHEMA ${ident(of.schema)} TO ${readers}`,
      subject: `schema ${of.schema}`,
      origin: 'trait rollups',
      phase: 'after',
    },
    {
      sql: `GRANT SELECT ON TABLE ${qualified(view)} TO ${readers}`,
      subject: `view ${label(view)}`,
      origin,
      phase: 'after',
    },
  ];
}

function same(left: RelationName, right: RelationName): boolean {
  return left.schema === right.schema && left.name === right.name;
}
