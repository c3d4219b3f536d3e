// The trigger functions of immutability as SQL text.
import type { RelationName, Table } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { Freedom } from './build.ts';

/** SQLSTATEs of the refusals; class ZH is outside those the SQL standard reserves for itself. */
export const REFUSED = {
  appendOnly: 'ZH001',
  frozen: 'ZH002',
  order: 'ZH003',
  truncate: 'ZH004',
} as const;

interface TriggerFunction {
  readonly of: RelationName;
  readonly sql: string;
}

/** The function of tables where nothing ever moves; one a schema serves them all. */
export function appendOnlyFunction(schema: string): TriggerFunction {
  const of = { schema, name: 'holdfast_append_only' };
  return {
    of,
    sql: triggerFunction(of, [
      ...raise({
        code: REFUSED.appendOnly,
        message: `format('%s on %I.%I refused: rows of this table are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME)`,
        hint: 'Insert a new row that corrects the old one.',
      }),
    ]),
  };
}

/** The function that refuses TRUNCATE, which row triggers and row security both do not see. */
export function truncateFunction(schema: string): TriggerFunction {
  const of = { schema, name: 'holdfast_refuse_truncate' };
  return {
    of,
    sql: triggerFunction(of, [
      ...raise({
        code: REFUSED.truncate,
        message: `format('TRUNCATE on %I.%I refused: its rows are kept', TG_TABLE_SCHEMA, TG_TABLE_NAME)`,
        hint: 'Old rows leave with their partition or by the retention of this table.',
      }),
    ]),
  };
}

/**
 * The function of one table whose rows move a little. The old and the new row are compared as stored
 * (`*=`, record_image_eq), after every column that may move is set back: that covers columns added later and types
 * without an equality operator, and sees 1.0 turned into 1.00.
 * @see https://www.postgresql.org/docs/current/functions-comparisons.html#COMPOSITE-TYPE-COMPARISON
 */
export function frozenFunction(of: RelationName, table: Table, freedom: Freedom): TriggerFunction {
  const free = new Set([
    ...freedom.mayChange,
    ...freedom.order.map(({ column }) => column),
    ...(table.selfMoving ?? []),
    // A generated column has no value yet when a BEFORE trigger runs; it follows from the columns that are compared.
    ...table.columns.filter((column) => column.generated !== undefined).map((column) => column.name),
  ]);
  const lines = [
    ...deleteRule(freedom),
    ...(freedom.frozenWhile === undefined
      ? []
      : [`  IF NOT ${isFrozen(freedom.frozenWhile)} THEN RETURN NEW; END IF;`]),
    ...freedom.order.flatMap(orderRule),
    '  candidate := NEW;',
    ...setBack(free),
    ...withStepRule(freedom),
    '  IF NOT candidate *= OLD THEN',
    "    SELECT string_agg(n.key, ', ' ORDER BY n.key) INTO changed",
    '      FROM jsonb_each(to_jsonb(candidate)) AS n JOIN jsonb_each(to_jsonb(OLD)) AS o USING (key)',
    '      WHERE n.value IS DISTINCT FROM o.value;',
    ...raise({
      code: REFUSED.frozen,
      message: `format('UPDATE on %I.%I refused: this row is kept as it is, and %s would change', TG_TABLE_SCHEMA, TG_TABLE_NAME, coalesce(changed, 'its content'))`,
      hint: hintOf(freedom),
    }).map((line) => `  ${line}`),
    '  END IF;',
    '  RETURN NEW;',
  ];
  return { of, sql: triggerFunction(of, lines, ['  candidate record;', '  changed text;']) };
}

function deleteRule(freedom: Freedom): string[] {
  const refuse = raise({
    code: REFUSED.frozen,
    message: `format('DELETE on %I.%I refused: this row is kept', TG_TABLE_SCHEMA, TG_TABLE_NAME)`,
    hint:
      freedom.deletes === 'never'
        ? 'Rows of this table are never deleted.'
        : 'Only a row that is not yet frozen may be deleted.',
  }).map((line) => `    ${line.trimStart()}`);
  if (freedom.deletes === 'never') return [`  IF TG_OP = 'DELETE' THEN`, ...refuse, '  END IF;'];
  const { frozenWhile } = freedom;
  const condition = frozenWhile === undefined ? 'true' : isFrozen(frozenWhile);
  return [
    `  IF TG_OP = 'DELETE' THEN`,
    `    IF NOT ${condition} THEN RETURN OLD; END IF;`,
    ...refuse,
    '  END IF;',
  ];
}

function isFrozen(when: { readonly column: string; readonly is: readonly string[] }): string {
  return `coalesce(OLD.${ident(when.column)}::text = ANY (${textArray(when.is)}), false)`;
}

function orderRule({ column, next }: Freedom['order'][number]): string[] {
  const name = ident(column);
  const cases = [...next]
    .filter(([, values]) => values.length > 0)
    .map(([value, values]) => `WHEN ${literal(value)} THEN ${textArray(values)}`);
  const allowed =
    cases.length === 0
      ? 'ARRAY[]::text[]'
      : `CASE OLD.${name}::text ${cases.join(' ')} ELSE ARRAY[]::text[] END`;
  return [
    `  IF NEW.${name} IS DISTINCT FROM OLD.${name}`,
    `    AND NOT coalesce(NEW.${name}::text = ANY (${allowed}), false) THEN`,
    ...raise({
      code: REFUSED.order,
      message: `format('UPDATE on %I.%I refused: %I may not go from %s to %s', TG_TABLE_SCHEMA, TG_TABLE_NAME, ${literal(column)}, coalesce(OLD.${name}::text, 'NULL'), coalesce(NEW.${name}::text, 'NULL'))`,
      hint: `Steps: ${[...next].map(([from, to]) => `${from} → ${to.join(' | ') || 'end'}`).join('; ')}.`,
    }).map((line) => `  ${line}`),
    '  END IF;',
  ];
}

function withStepRule(freedom: Freedom): string[] {
  if (freedom.withStep.length === 0) return [];
  const steps = freedom.order.map(
    ({ column }) => `NEW.${ident(column)} IS DISTINCT FROM OLD.${ident(column)}`,
  );
  return [
    `  IF ${steps.join(' OR ')} THEN`,
    ...setBack(freedom.withStep).map((line) => `  ${line}`),
    '  END IF;',
  ];
}

function setBack(names: Iterable<string>): string[] {
  return [...names].map((name) => `  candidate.${ident(name)} := OLD.${ident(name)};`);
}

function hintOf(freedom: Freedom): string {
  const free = [...freedom.mayChange, ...freedom.order.map(({ column }) => column)];
  const step =
    freedom.withStep.length === 0 ? '' : `; with a step of it also: ${freedom.withStep.join(', ')}`;
  return free.length === 0 ? 'No column of it may change.' : `What may change: ${free.join(', ')}${step}.`;
}

function raise(parts: { readonly code: string; readonly message: string; readonly hint: string }): string[] {
  return [
    '  RAISE EXCEPTION USING',
    `    ERRCODE = '${parts.code}',`,
    `    MESSAGE = ${parts.message},`,
    `    HINT = ${literal(parts.hint).trimStart()},`,
    '    SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;',
  ];
}

function textArray(values: readonly string[]): string {
  return `ARRAY[${values.map((value) => literal(value).trimStart()).join(', ')}]::text[]`;
}

function triggerFunction(
  of: RelationName,
  lines: readonly string[],
  declare: readonly string[] = [],
): string {
  return [
    `CREATE FUNCTION ${qualified(of)}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $holdfast$`,
    ...(declare.length === 0 ? [] : ['DECLARE', ...declare]),
    'BEGIN',
    ...lines,
    'END',
    '$holdfast$',
  ].join('\n');
}
