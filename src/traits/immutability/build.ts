// Lowers immutability to triggers that always fire: before each row's UPDATE and DELETE, and before TRUNCATE.
import {
  findTable,
  label,
  mapTables,
  type Model,
  type RelationName,
  type Statement,
  type Table,
} from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { withStatements } from '../addition.ts';
import { objectName } from '../name.ts';
import { columnOf } from '../reference.ts';
import type { Frozen, ImmutabilityOptions, Steps } from './index.ts';
import { appendOnlyFunction, frozenFunction, truncateFunction } from './sql.ts';

/** The trigger before each row's UPDATE and DELETE. */
const KEEP = 'holdfast_i_10_keep';

/** One table and what stays as it was in it. */
export interface Immutable {
  readonly of: RelationName;
  readonly options: ImmutabilityOptions;
}

/** What a trigger function needs to know of a table whose rows may move a little. */
export interface Freedom {
  /** The condition under which a row is frozen; absent: every row is, from its insert. */
  readonly frozenWhile?: { readonly column: string; readonly is: readonly string[] };
  readonly mayChange: readonly string[];
  /** Columns that may change only in an update that takes a step. */
  readonly withStep: readonly string[];
  readonly order: readonly {
    readonly column: string;
    readonly next: ReadonlyMap<string, readonly string[]>;
  }[];
  readonly deletes: 'never' | 'while-not-frozen';
}

/**
 * The model with the triggers that keep one table's rows. ENABLE ALWAYS: an ordinary trigger is skipped when
 * `session_replication_role` is `replica`. Row triggers reach partitions by themselves, TRUNCATE triggers do not:
 * whoever makes a partition gives it its parent's.
 * @see https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER
 */
export function freeze(model: Model, { of, options }: Immutable): Model {
  const table = findTable(model, of);
  if (table === undefined) return model;
  const freedom = freedomOf(options);
  const is = (one: Table): boolean => one.schema === of.schema && one.name === of.name;
  const marked = mapTables(model, is, (one) => ({ ...one, refuses: refusals(options, one) }));
  const guard =
    freedom === undefined ? appendOnlyFunction(of.schema) : frozenFunction(guardName(of), table, freedom);
  const truncate = truncateFunction(of.schema);
  return withStatements(marked, [
    ...functionStatements(guard),
    ...functionStatements(truncate),
    ...triggerStatements({
      of,
      name: KEEP,
      events: 'UPDATE OR DELETE',
      each: 'ROW',
      run: guard.of,
    }),
    ...triggerStatements({
      of,
      name: 'holdfast_i_20_truncate',
      events: 'TRUNCATE',
      each: 'STATEMENT',
      run: truncate.of,
    }),
  ]);
}

/** Who is let through the triggers that keep a table's rows. */
export interface Door {
  readonly of: RelationName;
  /** SQL over the row `OLD`; true: this change or delete is not looked at. Never null. */
  readonly when: string;
}

/**
 * The model with a door in the triggers that keep one table's rows; TRUNCATE stays refused. A table without such triggers
 * stays as it is.
 */
export function withDoor(model: Model, { of, when }: Door): Model {
  const plain = new RegExp(
    `^(CREATE TRIGGER ${ident(KEEP)} BEFORE UPDATE OR DELETE ON ${literally(qualified(of))} FOR EACH ROW )(EXECUTE .*)$`,
  );
  const statements = model.statements.map((statement) => ({
    ...statement,
    sql: statement.sql.replace(
      plain,
      (_all, head: string, tail: string) => `${head}WHEN (NOT (${when})) ${tail}`,
    ),
  }));
  return { ...model, statements };
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** What the options leave free, or undefined for a table where nothing ever moves. */
export function freedomOf(options: ImmutabilityOptions): Freedom | undefined {
  if (options.kind === 'frozen') {
    return {
      frozenWhile: { column: columnOf(options.when.column), is: options.when.is },
      mayChange: (options.mayChange ?? []).map(columnOf),
      withStep: [],
      order: Object.entries(options.order ?? {}).map(([column, steps]) => ({
        column,
        next: successors(steps),
      })),
      deletes: options.delete ?? 'while-not-frozen',
    };
  }
  if (options.decision === undefined) return undefined;
  const { column, steps } = options.decision;
  return {
    mayChange: [],
    withStep: (options.decision.with ?? []).map(columnOf),
    order: [{ column: columnOf(column), next: successors(steps) }],
    deletes: 'never',
  };
}

/** Which values may follow each value. */
export function successors(steps: Steps): ReadonlyMap<string, readonly string[]> {
  if (Array.isArray(steps)) {
    return new Map(steps.map((value: string, at) => [value, steps.slice(at + 1) as readonly string[]]));
  }
  return new Map(Object.entries(steps as Readonly<Record<string, readonly string[]>>));
}

function refusals(options: ImmutabilityOptions, table: Table): NonNullable<Table['refuses']> {
  if (options.kind === 'frozen') return { delete: neverDeleted(options), update: false };
  if (options.decision === undefined) return { delete: true, update: true };
  const { column } = options.decision;
  const decided = [column, ...(options.decision.with ?? [])].map(columnOf);
  return { delete: true, update: [...new Set([...decided, ...(table.selfMoving ?? [])])] };
}

function neverDeleted(options: Frozen): boolean {
  return options.delete === 'never';
}

function guardName(of: RelationName): RelationName {
  return { schema: of.schema, name: objectName(`${of.name}_keep_rows`) };
}

function functionStatements(made: { readonly of: RelationName; readonly sql: string }): Statement[] {
  const subject = `function ${label(made.of)}()`;
  // One function may serve several tables: its origin is none of them.
  const origin = 'trait immutability';
  return [
    { sql: made.sql, subject, origin, phase: 'before' },
    { sql: `REVOKE ALL ON FUNCTION ${qualified(made.of)}() FROM PUBLIC`, subject, origin, phase: 'before' },
  ];
}

function triggerStatements(trigger: {
  readonly of: RelationName;
  readonly name: string;
  readonly events: string;
  readonly each: 'ROW' | 'STATEMENT';
  readonly run: RelationName;
}): Statement[] {
  const { of, name } = trigger;
  const subject = `trigger ${name} on ${label(of)}`;
  const origin = `trait immutability on ${label(of)}`;
  const create = `CREATE TRIGGER ${ident(name)} BEFORE ${trigger.events} ON ${qualified(of)} FOR EACH ${trigger.each} EXECUTE FUNCTION ${qualified(trigger.run)}()`;
  return [
    { sql: create, subject, origin, phase: 'after' },
    {
      sql: `ALTER TABLE ${qualified(of)} ENABLE ALWAYS TRIGGER ${ident(name)}`,
      subject,
      origin,
      phase: 'after',
    },
  ];
}
