// The functions that bring an incremental rollup up to date, and that compute it anew.
import { createHash } from 'node:crypto';
import { label } from '../../../define/model.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { RAISED, type Routine } from '../function.ts';
import { stateOf } from '../state.ts';
import { zero } from './note.ts';
import {
  type Figure,
  fromClause,
  groupClause,
  namesOf,
  only,
  type Plan,
  stored,
  whereClause,
} from './plan.ts';

/**
 * `…_settle(at, leaving)`: takes what is in the queue and adds it to the table, in one statement and so on one snapshot:
 * a change that commits later is in neither and waits for the next time; what is recounted sees exactly the rows whose
 * changes are added. The row of the state keeps two of them apart. With a range that leaves, what the range holds is
 * closed in the same transaction: sums go on taking what comes late, recounted figures stay.
 * A table that was never filled, or whose figures are now computed otherwise, is computed anew instead.
 */
export function settleFunction(plan: Plan): Routine {
  const { of, options } = plan;
  const { queue, rebuild, settle } = namesOf(of);
  const state = qualified(stateOf(of));
  const named = literal(of.name);
  const body = `#variable_conflict use_column
DECLARE
  holdfast_shut tstzmultirange;
  holdfast_known text;
  holdfast_at timestamptz := at;
BEGIN
  SELECT closed, meaning INTO holdfast_shut, holdfast_known FROM ${state} WHERE rollup = ${named} FOR NO KEY UPDATE;
  IF holdfast_known IS DISTINCT FROM ${literal(meaningOf(plan))} THEN
    touched := ${qualified(rebuild)}(at);
    came_late := 0;
  ELSE
  WITH gone AS (DELETE FROM ${qualified(queue)} RETURNING *),
  delta AS MATERIALIZED (
    SELECT ${deltas(plan).join(', ')}
    FROM gone GROUP BY ${names(only(plan, 'key')).join(', ')}),
  fresh AS MATERIALIZED (
    SELECT delta.*, ${closedSql(plan)} AS holdfast_closed${recounted(plan)
      .map((name) => `, anew.${name}`)
      .join('')}
    FROM delta${anew(plan)}),
  removed AS (
    DELETE FROM ${qualified(of)} AS kept USING fresh WHERE ${matches(plan)} AND ${total(plan)} = 0),
  changed AS (
    UPDATE ${qualified(of)} AS kept SET ${assignments(plan).join(', ')}
    FROM fresh WHERE ${matches(plan)} AND ${total(plan)} <> 0),
  added AS (
    INSERT INTO ${qualified(of)} (${written(plan).join(', ')})
    SELECT ${written(plan, 'fresh', 'holdfast_at').join(', ')}
    FROM fresh WHERE fresh.${counter(plan)} <> 0 AND NOT EXISTS (SELECT FROM ${qualified(of)} AS kept WHERE ${matches(plan)}))
  SELECT count(*), count(*) FILTER (WHERE holdfast_closed) INTO touched, came_late FROM fresh;
  END IF;
  UPDATE ${state} SET refreshed_at = holdfast_at, late = late + came_late, closed = closed + leaving::tstzmultirange
  WHERE rollup = ${named};
END`;
  return {
    of: settle,
    takes: 'timestamptz, tstzrange',
    head: `(at timestamptz, leaving tstzrange, OUT touched bigint, OUT came_late bigint)`,
    body,
    owner: options.refreshedBy,
  };
}

/**
 * `…_settle(at)`: the same for a role in `callers`, who may bring the table up to date and no more: it cannot say that a
 * range leaves, and what fails is not told with the failing row, which may be another tenant's.
 */
export function settleNowFunction(plan: Plan): Routine {
  const { of, options } = plan;
  const { settle } = namesOf(of);
  const body = `#variable_conflict use_column
BEGIN
  SELECT done.touched, done.came_late INTO touched, came_late
  FROM ${qualified(settle)}(coalesce(at, pg_catalog.clock_timestamp()), 'empty'::tstzrange) AS done;
EXCEPTION WHEN OTHERS THEN
  IF pg_catalog.pg_has_role(session_user, ${literal(options.refreshedBy)}, 'MEMBER') THEN
    RAISE;
  END IF;
  RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = ${literal(`${label(of)} could not be brought up to date`)},
    HINT = 'The keeper logs the whole error when it does the same.';
END`;
  return {
    of: settle,
    takes: 'timestamptz',
    head: `(at timestamptz DEFAULT clock_timestamp(), OUT touched bigint, OUT came_late bigint)`,
    body,
    owner: options.refreshedBy,
    ...(options.callers !== undefined && { callers: options.callers }),
  };
}

/**
 * `…_rebuild(at)`: the whole table anew from the rows that are there; the first fill, which the first settling does. The rows and the queue are read on
 * one snapshot, so it is exact while others write. Refused once rows have left: it would forget them.
 */
export function rebuildFunction(plan: Plan): Routine {
  const { of, options } = plan;
  const { queue, rebuild } = namesOf(of);
  const state = qualified(stateOf(of));
  const named = literal(of.name);
  const subject = `rollup ${label(of)}`;
  const body = `#variable_conflict use_column
DECLARE
  holdfast_shut tstzmultirange;
  holdfast_at timestamptz := at;
  known text;
  counted bigint;
BEGIN
  INSERT INTO ${state} (rollup) VALUES (${named}) ON CONFLICT (rollup) DO NOTHING;
  SELECT closed, meaning INTO holdfast_shut, known FROM ${state} WHERE rollup = ${named} FOR NO KEY UPDATE;
  IF NOT isempty(holdfast_shut) THEN
    RAISE EXCEPTION USING ERRCODE = '${RAISED.forgets}',
      MESSAGE = ${literal(`${subject} holds sums of rows that have left; computed anew it would forget them`)},
      HINT = ${literal(`To go on with the sums as they are: UPDATE ${label(stateOf(of))} SET meaning = '${meaningOf(plan)}' WHERE rollup = '${of.name.replaceAll("'", "''")}'`)};
  END IF;
  IF known IS NULL AND EXISTS (SELECT FROM ${qualified(of)}) THEN
    RAISE EXCEPTION USING ERRCODE = '${RAISED.foreignRows}',
      MESSAGE = ${literal(`table ${label(of)} holds rows that no rollup put there`)},
      HINT = 'Empty it first; the rollup fills it from the rows it sums up.';
  END IF;
  DELETE FROM ${qualified(of)};
  WITH gone AS (DELETE FROM ${qualified(queue)})
  INSERT INTO ${qualified(of)} (${written(plan).join(', ')})
  SELECT ${[...recount(plan), ...(plan.stamp === undefined ? [] : ['holdfast_at'])].join(', ')}
  ${recountFrom(plan)};
  GET DIAGNOSTICS counted = ROW_COUNT;
  UPDATE ${state} SET refreshed_at = holdfast_at, meaning = ${literal(meaningOf(plan))} WHERE rollup = ${named};
  RETURN counted;
END`;
  return {
    of: rebuild,
    takes: 'timestamptz',
    head: '(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint',
    body,
    owner: options.refreshedBy,
  };
}

/**
 * The rollup computed anew as one query: its key and what must equal the rows exactly. What was only ever the least, the
 * greatest or the first of them is not in it. `relation`: what to read in the source's place.
 */
export function recomputedSql(plan: Plan, relation?: string): string {
  const exact = plan.figures.flatMap((figure, at) =>
    isExact(figure) ? [`${shown(figure, recount(plan)[at] ?? '')} AS ${ident(figure.column)}`] : [],
  );
  return `SELECT ${exact.join(', ')}\n  ${recountFrom(plan, relation)}`;
}

/** What is kept, the same columns in the same order as {@link recomputedSql}. */
export function keptSql(plan: Plan): string {
  const exact = plan.figures.filter(isExact);
  const columns = exact.map((figure) => `${shown(figure, ident(figure.column))} AS ${ident(figure.column)}`);
  return `SELECT ${columns.join(', ')} FROM ${qualified(plan.of)}`;
}

/** A figure so that equal ones are spelled alike: 0 and 0.00 are one sum, and a column may round what is put into it. */
function shown({ part, type }: Figure, value: string): string {
  if (part === 'sum' && /^(numeric|decimal)$/.test(type)) return `trim_scale(${value})`;
  return part === 'recounted' ? `(${value})::${type}` : value;
}

function isExact({ part }: Figure): boolean {
  return part === 'key' || part === 'count' || part === 'sum' || part === 'recounted';
}

/** Changes when a figure is computed otherwise than before: the table then has to be computed anew. */
export function meaningOf(plan: Plan): string {
  return createHash('sha256')
    .update(`${recount(plan).join(', ')} ${recountFrom(plan)}`)
    .digest('hex')
    .slice(0, MEANING_LENGTH);
}

const MEANING_LENGTH = 16;

function names(figures: readonly Figure[]): string[] {
  return figures.map(({ column }) => ident(column));
}

function counter(plan: Plan): string {
  return names(only(plan, 'count'))[0] ?? '';
}

function total(plan: Plan): string {
  return `kept.${counter(plan)} + fresh.${counter(plan)}`;
}

function recounted(plan: Plan): string[] {
  return names(only(plan, 'recounted'));
}

function matches(plan: Plan): string {
  return names(only(plan, 'key'))
    .map((name) => `kept.${name} = fresh.${name}`)
    .join(' AND ');
}

function deltas(plan: Plan): string[] {
  return plan.figures.flatMap(({ part, column }) => {
    const name = ident(column);
    if (part === 'key') return [name];
    if (part === 'recounted') return [];
    if (part === 'carried') return [`(array_agg(${name}) FILTER (WHERE ${name} IS NOT NULL))[1] AS ${name}`];
    if (part === 'least' || part === 'greatest')
      return [`${part === 'least' ? 'min' : 'max'}(${name}) AS ${name}`];
    return [`sum(${name}) AS ${name}`];
  });
}

function assignments(plan: Plan): string[] {
  const set = plan.figures.flatMap(({ part, column }) => {
    const name = ident(column);
    if (part === 'key' || part === 'carried') return [];
    if (part === 'least' || part === 'greatest') return [`${name} = ${part}(kept.${name}, fresh.${name})`];
    if (part === 'recounted')
      return [`${name} = CASE WHEN fresh.holdfast_closed THEN kept.${name} ELSE fresh.${name} END`];
    return [`${name} = kept.${name} + fresh.${name}`];
  });
  return [...set, ...(plan.stamp === undefined ? [] : [`${ident(plan.stamp)} = holdfast_at`])];
}

/** The target's columns in order; with the row they come from, the stamp last. */
function written(plan: Plan, row?: string, stamp?: string): string[] {
  const figures = names(plan.figures).map((name) => (row === undefined ? name : `${row}.${name}`));
  return [...figures, ...(plan.stamp === undefined ? [] : [stamp ?? ident(plan.stamp)])];
}

function closedSql(plan: Plan): string {
  const { bucket } = plan;
  if (bucket === undefined || recounted(plan).length === 0) return 'false';
  return `holdfast_shut && tstzrange(${bucket.from('delta')}, ${bucket.to('delta')})`;
}

/** A touched bucket's rows are found by its key and its period: an aggregate below LATERAL is computed for each by itself. */
function anew(plan: Plan): string {
  const { bucket, time } = plan;
  const figures = only(plan, 'recounted');
  if (figures.length === 0 || bucket === undefined || time === undefined) return '';
  const column = `source.${ident(time.column)}`;
  const own = only(plan, 'key')
    .filter((figure) => figure.column !== bucket.column)
    .map(({ column: name, expression }) => `(${expression}) = delta.${ident(name)}`);
  const within = [
    ...own,
    `${column} >= ${stored(time, bucket.from('delta'))}`,
    `${column} < ${stored(time, bucket.to('delta'))}`,
  ];
  return `
    LEFT JOIN LATERAL (
    SELECT ${figures.map(({ column: name, expression }) => `${expression} AS ${ident(name)}`).join(', ')}
    ${fromClause(plan)}${whereClause(plan, within)}) AS anew ON true`;
}

function recount(plan: Plan): string[] {
  return plan.figures.map(({ part, expression, type }) => {
    if (part === 'key' || part === 'recounted') return expression;
    if (part === 'count') return 'count(*)';
    if (part === 'carried') return `(array_agg(${expression}))[1]`;
    if (part === 'sum') return `coalesce(sum(${expression}), ${zero(type)})`;
    return `${part === 'least' ? 'min' : 'max'}(${expression})`;
  });
}

function recountFrom(plan: Plan, relation?: string): string {
  return `${fromClause(plan, relation)}${whereClause(plan)}\n    ${groupClause(plan)}`;
}
