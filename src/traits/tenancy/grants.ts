// Who may do what, as GRANT statements: only what is listed, never TRUNCATE, never a partition or a materialised view.
import { label, type Model, type Statement, type Table } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { cut } from '../name.ts';
import { relationOf } from '../reference.ts';
import type { Right, TenancyOptions } from './index.ts';
import { loginRole, standingOf } from './plan.ts';

/** The grants of a definition, in the order of its objects. */
export function grants(model: Model, options: TenancyOptions): readonly Statement[] {
  const app = loginRole(options.roles.app).name;
  const analytics =
    options.roles.analytics === undefined ? undefined : loginRole(options.roles.analytics).name;
  const readers = [app, ...(analytics === undefined ? [] : [analytics])];
  const bypass = options.roles.bypass ?? [];
  return [
    ...schemaGrants(model, { readers, makers: [options.roles.owner, ...bypass] }),
    ...model.tables.flatMap((table) => tableGrants(table, { app, bypass, options })),
    ...model.tables.flatMap((table) => sequenceGrants(table, { app, bypass, model, options })),
    ...viewGrants(model, { app, analytics, options }),
  ];
}

/** CREATE is for the owners: PostgreSQL asks for it when an object is handed to them. Nobody logs in as them. */
function schemaGrants(
  model: Model,
  roles: { readonly readers: readonly string[]; readonly makers: readonly string[] },
): Statement[] {
  return schemasOf(model).flatMap((schema) => [
    grant(
      `GRANT USAGE, CREATE ON SCHEMA ${ident(schema)} TO ${list(roles.makers)}`,
      `schema ${schema}`,
      'before',
    ),
    grant(`GRANT USAGE ON SCHEMA ${ident(schema)} TO ${list(roles.readers)}`, `schema ${schema}`, 'before'),
  ]);
}

function schemasOf(model: Model): readonly string[] {
  return [...new Set([...model.tables, ...model.views].map((relation) => relation.schema))];
}

interface TableRoles {
  readonly app: string;
  readonly bypass: readonly string[];
  readonly options: TenancyOptions;
}

function tableGrants(table: Table, { app, bypass, options }: TableRoles): Statement[] {
  const standing = standingOf(table, options);
  const statements =
    bypass.length === 0 ? [] : rightsOn(table, ['select', 'insert', 'update', 'delete'], bypass);
  if (standing.kind === 'tenant' || standing.kind === 'shared')
    statements.push(...rightsOn(table, standing.app, [app]));
  return statements;
}

function rightsOn(table: Table, rights: readonly Right[], to: readonly string[]): Statement[] {
  const allowed = rights.map((right) => allowedRight(table, right)).filter((right) => right !== undefined);
  if (allowed.length === 0) return [];
  return [
    grant(`GRANT ${allowed.join(', ')} ON TABLE ${qualified(table)} TO ${list(to)}`, `table ${label(table)}`),
  ];
}

/** A right as GRANT spells it, narrowed to what no promise about the table refuses. */
function allowedRight(table: Table, right: Right): string | undefined {
  const refused = table.refuses;
  if (right === 'delete' && refused?.delete === true) return undefined;
  if (right !== 'update' || refused === undefined || refused.update === false) return right.toUpperCase();
  if (refused.update === true || refused.update.length === 0) return undefined;
  return `UPDATE (${refused.update.map(ident).join(', ')})`;
}

/** A serial column's default reads its sequence with the writer's rights; an identity column's does not. */
function sequenceGrants(table: Table, by: TableRoles & { readonly model: Model }): Statement[] {
  const standing = standingOf(table, by.options);
  const inserts =
    (standing.kind === 'tenant' || standing.kind === 'shared') && standing.app.includes('insert');
  const to = [...by.bypass, ...(inserts ? [by.app] : [])];
  if (to.length === 0) return [];
  const found: Statement[] = [];
  for (const column of table.columns) {
    const own = /^(small|big)?serial[248]?$/i.test(column.type.trim())
      ? [{ schema: table.schema, name: serialSequence(table.name, column.name) }]
      : by.model.sequences.filter(
          (one) => column.default?.includes('nextval(') && column.default.includes(one.name),
        );
    for (const sequence of own) {
      found.push(
        grant(`GRANT USAGE ON SEQUENCE ${qualified(sequence)} TO ${list(to)}`, `sequence ${label(sequence)}`),
      );
    }
  }
  return found;
}

/**
 * The name PostgreSQL gives a serial column's sequence: `table_column_seq`, the longer part cut until it fits.
 * @see makeObjectName in https://github.com/postgres/postgres/blob/master/src/backend/commands/indexcmds.c
 */
export function serialSequence(table: string, column: string): string {
  const available = 63 - Buffer.byteLength('__seq');
  let [tableBytes, columnBytes] = [Buffer.byteLength(table), Buffer.byteLength(column)];
  while (tableBytes + columnBytes > available) {
    if (tableBytes > columnBytes) tableBytes -= 1;
    else columnBytes -= 1;
  }
  return `${cut(table, tableBytes)}_${cut(column, columnBytes)}_seq`;
}

/** A guarded view is for its readers; any other plain view runs with its reader's rights and is for the application. */
function viewGrants(
  model: Model,
  by: { readonly app: string; readonly analytics: string | undefined; readonly options: TenancyOptions },
): Statement[] {
  const found: Statement[] = [];
  for (const view of model.views) {
    if (view.materialized) continue;
    const guard = (by.options.guardedViews ?? []).find((one) => {
      const of = relationOf(one.view);
      return of.schema === view.schema && of.name === view.name;
    });
    const names = { app: by.app, analytics: by.analytics };
    const invoker = view.with?.['security_invoker'] === 'true';
    const to = guard === undefined ? (invoker ? [by.app] : []) : guard.readers.map((reader) => names[reader]);
    const known = to.filter((name) => name !== undefined);
    if (known.length > 0) {
      found.push(grant(`GRANT SELECT ON TABLE ${qualified(view)} TO ${list(known)}`, `view ${label(view)}`));
    }
  }
  return found;
}

function list(roles: readonly string[]): string {
  return [...new Set(roles)].map(ident).join(', ');
}

function grant(sql: string, subject: string, phase: 'before' | 'after' = 'after'): Statement {
  return { sql, subject, origin: 'trait tenancy', phase };
}
