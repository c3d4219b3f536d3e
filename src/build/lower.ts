// A definition as ordered DDL for an empty database. Text in, text out: what it means is the server's to say.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Definition } from '../define/database.ts';
import type { Model, Role, Statement } from '../define/model.ts';
import { HoldfastError } from '../error.ts';
import { ident } from '../sql.ts';
import { lowerDomain } from './lower/objects.ts';
import { lowerTables } from './lower/table.ts';
import { lowerViews } from './lower/view.ts';
import { readSqlFiles } from './sql-files.ts';

/** One statement of a lowered definition. */
export interface LoweredStatement {
  readonly sql: string;
  /** What it makes, for messages: `table app.orders`. */
  readonly subject: string;
  /** Who asked for it: a file with line, a table, a trait. */
  readonly origin: string;
  /** Its place in the order is a guess (a .sql file, a view): try it again when something it needs comes later. */
  readonly reorderable: boolean;
}

/** A definition as DDL for an empty database, with what has to be in the cluster before it. */
export interface Lowered {
  /** Roles the statements speak of; they belong to the cluster and are ensured before the first statement. */
  readonly roles: readonly Role[];
  /** Names of extensions the statements create. */
  readonly extensions: readonly string[];
  readonly statements: readonly LoweredStatement[];
}

/**
 * Lowers a definition to DDL: schemas, extensions, types and sequences, then tables, indexes, foreign keys, views, row
 * security, free statements, comments and owners; .sql files where what they make belongs.
 * @param definition a value of `database`
 * @param options `baseDir`: folder that relative globs of `sql` start in, where the definition has no `baseUrl`
 * @throws HoldfastError HF_SQL_BASE when there are globs and no folder to start from, HF_SQL_NONE when a glob finds no
 *   file, HF_SQL_… for statements that do not belong in a definition
 */
export async function lower(
  definition: Definition,
  options: { readonly baseDir?: string } = {},
): Promise<Lowered> {
  const { model } = definition;
  const files =
    definition.sql.length === 0
      ? []
      : await readSqlFiles(definition.sql, baseOf(definition, options.baseDir));
  const { tables, foreignKeys, indexes, security, comments } = lowerTables(model);
  const views = lowerViews(model);
  const domain = lowerDomain(model);
  const statements = [
    ...domain.first,
    ...free(model.statements, 'before'),
    ...free(files, 'before'),
    ...tables,
    // A foreign key may rest on a unique index instead of a constraint.
    ...indexes,
    ...foreignKeys,
    ...free(files, 'after'),
    ...views.views,
    ...views.indexes,
    ...security,
    ...free(model.statements, 'after'),
    ...comments,
    ...views.comments,
    ...owners(model, [...domain.owned, ...views.owned]),
  ];
  return {
    roles: model.roles,
    extensions: model.extensions.map((one) => one.name),
    // A table's default may call a function of a file that reads a table of another: beside files, all may have to wait.
    statements: files.length === 0 ? statements : statements.map((one) => ({ ...one, reorderable: true })),
  };
}

function baseOf(definition: Definition, baseDir: string | undefined): string {
  const base = definition.baseUrl;
  if (base?.startsWith('file:') === true) return dirname(fileURLToPath(base));
  const folder = base ?? baseDir;
  if (folder !== undefined) return folder;
  throw new HoldfastError({
    code: 'HF_SQL_BASE',
    subject: `definition ${definition.name}`,
    what: `it names SQL files (${definition.sql.join(', ')}) and not the folder they start in.`,
    fix: 'Give database() the option baseUrl: import.meta.url.',
  });
}

function free(statements: readonly Statement[], phase: Statement['phase']): LoweredStatement[] {
  return statements
    .filter((statement) => statement.phase === phase)
    .map(({ sql, subject, origin }) => ({ sql, subject, origin, reorderable: false }));
}

/** An object whose owner is set at the end, when everything that depends on the right to make it is there. */
export interface Owned {
  /** `TABLE "app"."orders"`, as it stands after ALTER. */
  readonly object: string;
  readonly subject: string;
  /** Who owns it when that is not the model's owner. */
  readonly owner?: string;
}

function owners(model: Model, others: readonly Owned[]): LoweredStatement[] {
  const tables = model.tables.map((table): Owned => ({
    object: `TABLE ${ident(table.schema)}.${ident(table.name)}`,
    subject: `table ${table.schema}.${table.name}`,
  }));
  return [...tables, ...others].flatMap(({ object, subject, owner = model.owner }) => {
    if (owner === undefined) return [];
    return [
      { sql: `ALTER ${object} OWNER TO ${ident(owner)}`, subject, origin: subject, reorderable: false },
    ];
  });
}
