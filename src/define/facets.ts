// The facets about a whole database, and `on`, which gathers those about one table or view.
import type { SQL } from 'drizzle-orm';
import type { PgMaterializedView, PgRole, PgSequence, PgTable, PgView } from 'drizzle-orm/pg-core';
import { HoldfastError } from '../error.ts';
import { ident, qualified } from '../sql.ts';
import type { Expressions } from './drizzle/expression.ts';
import { nameOf } from './drizzle/table.ts';
import type { Facet, RelationFacet } from './facet.ts';
import { missing } from './facet.ts';
import { label, type Model, type RelationName, ROLE_WORDS, type Statement } from './model.ts';

/**
 * Says of one table or view what Drizzle cannot: `on(orders, (t) => [unlogged(), comment('…', t.total)])`.
 * @param target a table, view or materialised view of the same definition
 * @param say gives the sayings; its argument is the target itself, for its columns
 */
export function on<T extends PgTable | PgView | PgMaterializedView>(
  target: T,
  say: (target: T) => readonly RelationFacet[],
): Facet {
  const of = nameOf(target);
  return {
    subject: label(of),
    apply: (model, read) => say(target).reduce((so, facet) => applyTo(so, of, { facet, read }), model),
  };
}

/**
 * An extension the definition needs.
 * @param schema where its objects go; default: the first schema of the search path. The schema itself must exist
 *   already or be one of the definition's
 */
export function extension(name: string, options: { readonly schema?: string } = {}): Facet {
  const entry = { name, ...(options.schema !== undefined && { schema: options.schema }) };
  return {
    subject: `extension ${name}`,
    apply: (model) => ({
      ...model,
      extensions: [...model.extensions.filter((one) => one.name !== name), entry],
    }),
  };
}

/**
 * Any object the model has no word for (a function, a domain, statistics …), as one SQL statement.
 * @param subject what it makes, for messages: `function app.touch()`
 * @param text the statement, as text or Drizzle's `sql`; values in it become literals
 * @param options phase: `before` tables that use it (default for functions, types, domains), or `after` them
 */
export function statement(
  subject: string,
  text: string | SQL,
  options: { readonly phase?: Statement['phase'] } = {},
): Facet {
  const phase =
    options.phase ??
    (/^(function|procedure|type|domain|schema|collation)\b/i.test(subject) ? 'before' : 'after');
  return {
    subject,
    apply: (model, read) => {
      const sql = typeof text === 'string' ? text : read.text(text);
      return {
        ...model,
        statements: [...model.statements, { sql, subject, origin: `facet ${subject}`, phase }],
      };
    },
  };
}

/** What rights can be given on: a relation of the schema, or SQL as it stands after ON: `SCHEMA app`. */
export type GrantTarget = PgTable | PgView | PgMaterializedView | PgSequence | string;

/**
 * Gives rights: `grant(['select', 'insert'], { on: orders, to: app })`.
 * @param privileges PostgreSQL's words; `select (id, name)` names columns
 * @throws HoldfastError HF_FACET for a word that is no privilege
 */
export function grant(
  privileges: readonly string[],
  options: { readonly on: GrantTarget; readonly to: PgRole | string | readonly (PgRole | string)[] },
): Facet {
  const to = [options.to].flat();
  const roles = to.map((role) => (typeof role === 'string' ? role : role.name));
  const target = targetOf(options.on);
  const subject = `grant ${privileges.join(', ')} on ${target.subject} to ${roles.join(', ')}`;
  const wrong = privileges.find((privilege) => !PRIVILEGE.test(privilege));
  if (wrong !== undefined) {
    throw new HoldfastError({
      code: 'HF_FACET',
      subject,
      what: `${JSON.stringify(wrong)} is no privilege of PostgreSQL.`,
      fix: 'Write select, insert, update, delete, truncate, references, trigger, usage, execute, create, maintain or all.',
    });
  }
  const sql = `GRANT ${privileges.join(', ')} ON ${target.sql} TO ${roles.map(roleSql).join(', ')}`;
  return statement(subject, sql, { phase: 'after' });
}

const PRIVILEGE =
  /^(select|insert|update|delete|truncate|references|trigger|usage|execute|create|connect|temporary|maintain|all)(\s*\([^()]*\))?$/i;

function targetOf(on: GrantTarget): { readonly sql: string; readonly subject: string } {
  if (typeof on === 'string') return { sql: on, subject: on };
  const sequence = on as Partial<PgSequence>;
  if (sequence.seqName !== undefined) {
    const of = { schema: sequence.schema ?? 'public', name: sequence.seqName };
    return { sql: `SEQUENCE ${qualified(of)}`, subject: `sequence ${label(of)}` };
  }
  const of = nameOf(on as PgTable);
  return { sql: `TABLE ${qualified(of)}`, subject: label(of) };
}

function roleSql(role: string): string {
  return ROLE_WORDS.has(role) ? role.toUpperCase() : ident(role);
}

interface Saying {
  readonly facet: RelationFacet;
  readonly read: Expressions;
}

function applyTo(model: Model, of: RelationName, { facet, read }: Saying): Model {
  const where = `${facet.subject} on ${label(of)}`;
  const table = model.tables.find((one) => label(one) === label(of));
  const view = model.views.find((one) => label(one) === label(of));
  const found = table ?? view;
  if (found === undefined) {
    throw missing(
      where,
      'the definition holds no such table or view.',
      [...model.tables, ...model.views].map(label),
    );
  }
  if (facet.statement !== undefined) {
    return { ...model, statements: [...model.statements, facet.statement(of, read)] };
  }
  const { table: onTable, view: onView } = facet;
  if (table !== undefined && onTable !== undefined) {
    const changed = onTable(table, read);
    return { ...model, tables: model.tables.map((one) => (one === table ? changed : one)) };
  }
  if (view !== undefined && onView !== undefined) {
    const changed = onView(view, read);
    return { ...model, views: model.views.map((one) => (one === view ? changed : one)) };
  }
  throw new HoldfastError({
    code: 'HF_FACET',
    subject: where,
    what: `it cannot be said of a ${table === undefined ? 'view' : 'table'}.`,
    fix: 'Take it out, or say it of the relation it is meant for.',
  });
}
