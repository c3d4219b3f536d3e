// Tables as DDL: the table with its keys and checks, then indexes, foreign keys (which may point forward), security.
import type {
  Check,
  Column,
  Exclusion,
  ForeignKey,
  KeyConstraint,
  Model,
  Policy,
  Table,
} from '../../define/model.ts';
import { label, ROLE_WORDS } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { LoweredStatement } from '../lower.ts';
import { collation, parameters } from './clause.ts';
import { indexComment, lowerIndex } from './index-ddl.ts';
import { statement } from './objects.ts';

/** The statements of all tables, by stage; within a stage in the model's order. */
export interface LoweredTables {
  readonly tables: LoweredStatement[];
  readonly foreignKeys: LoweredStatement[];
  readonly indexes: LoweredStatement[];
  readonly security: LoweredStatement[];
  readonly comments: LoweredStatement[];
}

/** Lowers every table of a model. */
export function lowerTables(model: Model): LoweredTables {
  const each = (make: (table: Table) => LoweredStatement[]): LoweredStatement[] => model.tables.flatMap(make);
  return {
    tables: each((table) => [statement(subjectOf(table), createTable(table))]),
    foreignKeys: [
      ...model.sequences.flatMap(ownedBy),
      ...each((table) => table.foreignKeys.map((one) => foreignKey(table, one))),
    ],
    indexes: each((table) => table.indexes.map((index) => lowerIndex(table, index))),
    security: each(security),
    comments: each(comments),
  };
}

function subjectOf(table: Table): string {
  return `table ${label(table)}`;
}

function createTable(table: Table): string {
  const lines = [
    ...table.columns.map(column),
    ...(table.primaryKey ? [key('PRIMARY KEY', table.primaryKey)] : []),
    ...table.uniques.map((unique) => key('UNIQUE', unique)),
    ...table.checks.map(check),
    ...table.exclusions.map(exclusion),
  ];
  const by = table.partitionBy;
  return [
    `CREATE ${table.unlogged === true ? 'UNLOGGED ' : ''}TABLE ${qualified(table)} (\n  ${lines.join(',\n  ')}\n)`,
    ...(by ? [`PARTITION BY ${by.method.toUpperCase()} (${by.columns.map(ident).join(', ')})`] : []),
    ...(table.storage ? [`WITH (${parameters(table.storage)})`] : []),
  ].join(' ');
}

function column(one: Column): string {
  return [
    ident(one.name),
    one.type,
    ...(one.collation === undefined ? [] : [`COLLATE ${collation(one.collation)}`]),
    ...(one.notNull ? ['NOT NULL'] : []),
    ...(one.default === undefined ? [] : [`DEFAULT ${one.default}`]),
    ...(one.generated
      ? [`GENERATED ALWAYS AS (${one.generated.as}) ${one.generated.kind.toUpperCase()}`]
      : []),
    ...(one.identity ? [identity(one.identity)] : []),
  ].join(' ');
}

function identity(one: NonNullable<Column['identity']>): string {
  const kind = one.kind === 'always' ? 'ALWAYS' : 'BY DEFAULT';
  const options = one.options === undefined || one.options === '' ? '' : ` (${one.options})`;
  return `GENERATED ${kind} AS IDENTITY${options}`;
}

function key(kind: 'PRIMARY KEY' | 'UNIQUE', one: KeyConstraint): string {
  const include =
    one.include === undefined || one.include.length === 0 ? '' : ` INCLUDE (${names(one.include)})`;
  const nulls = one.nullsNotDistinct === true ? ' NULLS NOT DISTINCT' : '';
  return `${named(one.name)}${kind}${nulls} (${names(one.columns)})${include}${deferral(one.deferrable)}`;
}

function check(one: Check): string {
  return `${named(one.name)}CHECK (${one.expression})${one.noInherit === true ? ' NO INHERIT' : ''}`;
}

function exclusion(one: Exclusion): string {
  const where = one.where === undefined ? '' : ` WHERE (${one.where})`;
  const elements = one.elements.join(', ');
  return `${named(one.name)}EXCLUDE USING ${ident(one.using)} (${elements})${where}${deferral(one.deferrable)}`;
}

function foreignKey(table: Table, one: ForeignKey): LoweredStatement {
  const { references } = one;
  const only = one.onDeleteColumns === undefined ? '' : ` (${names(one.onDeleteColumns)})`;
  const parts = [
    `ALTER TABLE ${qualified(table)} ADD ${named(one.name)}FOREIGN KEY (${names(one.columns)})`,
    `REFERENCES ${qualified(references)} (${names(references.columns)})`,
    ...(one.match === 'full' ? ['MATCH FULL'] : []),
    ...(one.onDelete === undefined ? [] : [`ON DELETE ${one.onDelete.toUpperCase()}${only}`]),
    ...(one.onUpdate === undefined ? [] : [`ON UPDATE ${one.onUpdate.toUpperCase()}`]),
  ];
  const subject = `foreign key ${one.name ?? one.columns.join(', ')} of ${subjectOf(table)}`;
  return { ...statement(subject, `${parts.join(' ')}${deferral(one.deferrable)}`), origin: subjectOf(table) };
}

function ownedBy(one: Model['sequences'][number]): LoweredStatement[] {
  if (one.ownedBy === undefined) return [];
  const owner = `${qualified(one.ownedBy)}.${ident(one.ownedBy.column)}`;
  return [statement(`sequence ${label(one)}`, `ALTER SEQUENCE ${qualified(one)} OWNED BY ${owner}`)];
}

function named(name: string | undefined): string {
  return name === undefined ? '' : `CONSTRAINT ${ident(name)} `;
}

function names(columns: readonly string[]): string {
  return columns.map(ident).join(', ');
}

function deferral(deferrable: KeyConstraint['deferrable']): string {
  return deferrable === undefined ? '' : ` DEFERRABLE ${deferrable.toUpperCase()}`;
}

function security(table: Table): LoweredStatement[] {
  const on = subjectOf(table);
  const alter = (what: string): LoweredStatement =>
    statement(on, `ALTER TABLE ${qualified(table)} ${what} ROW LEVEL SECURITY`);
  return [
    ...(table.rowSecurity === 'off' ? [] : [alter('ENABLE')]),
    ...(table.rowSecurity === 'forced' ? [alter('FORCE')] : []),
    ...table.policies.map((one) => ({
      ...statement(`policy ${one.name} of ${on}`, policy(table, one)),
      origin: on,
    })),
  ];
}

function policy(table: Table, one: Policy): string {
  return [
    `CREATE POLICY ${ident(one.name)} ON ${qualified(table)}`,
    `AS ${one.as.toUpperCase()} FOR ${one.for.toUpperCase()}`,
    `TO ${one.to.map((role) => (ROLE_WORDS.has(role) ? role.toUpperCase() : ident(role))).join(', ')}`,
    ...(one.using === undefined ? [] : [`USING (${one.using})`]),
    ...(one.withCheck === undefined ? [] : [`WITH CHECK (${one.withCheck})`]),
  ].join(' ');
}

function comments(table: Table): LoweredStatement[] {
  const on = subjectOf(table);
  return [
    ...(table.comment === undefined
      ? []
      : [statement(on, `COMMENT ON TABLE ${qualified(table)} IS ${literal(table.comment)}`)]),
    ...table.columns.flatMap((one) =>
      one.comment === undefined
        ? []
        : [
            statement(
              `column ${one.name} of ${on}`,
              `COMMENT ON COLUMN ${qualified(table)}.${ident(one.name)} IS ${literal(one.comment)}`,
            ),
          ],
    ),
    ...table.indexes.flatMap((index) => indexComment(table, index)),
  ];
}
