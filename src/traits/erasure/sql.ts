// The functions of an erasure as SQL text: what refuses rows of an erased subject, and what opens the door to them.
import { ERASING_SETTING } from '../../define/erasure.ts';
import { PUT_BACK_SETTING } from '../../define/job.ts';
import type { RelationName } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { digestSql } from './digest.ts';
import type { Carrier, ErasurePlan, Rule, Subject } from './plan.ts';

/** SQLSTATEs that the functions raise; class ZH is outside those the SQL standard reserves for itself. */
export const RAISED = { erased: 'ZH020' } as const;

/** A function as one statement. */
export interface Routine {
  readonly of: RelationName;
  /** Types of its arguments, as REVOKE and ALTER name it. */
  readonly takes: string;
  readonly sql: string;
}

interface Carried {
  readonly subject: Subject;
  readonly rule: Rule;
}

/**
 * The trigger function of one table: it refuses new rows, and rows that become another's, where they name a subject of the
 * register. As long as nobody is in it, that is one look at an empty table a statement. It reads the register with its
 * owner's rights: whoever writes to the table needs none on it. Rows that are put back by whoever may write the register
 * pass: they are erased again afterwards, and not lost with all others of their part. So do figures that are taken down while
 * their rows are erased: they go after those.
 * Under READ COMMITTED each statement sees who was registered before it began.
 * @see https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
 */
export function barrierFunction(
  plan: ErasurePlan,
  table: { readonly name: RelationName; readonly of: RelationName; readonly carried: readonly Carried[] },
): Routine {
  const register = qualified(plan.register);
  const checks = (row: 'NEW' | 'new_rows'): string =>
    table.carried
      .flatMap(({ subject, rule }) =>
        rule.by.map(
          (by) =>
            `    IF EXISTS (${namesErased(plan, { subject, rule, by }, row)}) THEN\n${refuse(subject)}\n    END IF;`,
        ),
      )
      .join('\n');
  const body = `BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NOT EXISTS (SELECT FROM ${register}) THEN RETURN NEW; END IF;
${checks('NEW')}
    RETURN NEW;
  END IF;
  IF NOT EXISTS (SELECT FROM ${register}) THEN RETURN NULL; END IF;
  IF (current_setting(${literal(PUT_BACK_SETTING)}, true) = 'on' OR current_setting(${literal(ERASING_SETTING)}, true) = 'on')
    AND ${ownsRegister(plan)} THEN RETURN NULL; END IF;
${checks('new_rows')}
  RETURN NULL;
END`;
  return {
    of: table.name,
    takes: '',
    sql: `CREATE FUNCTION ${qualified(table.name)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $holdfast$\n${body}\n$holdfast$`,
  };
}

function refuse(subject: Subject): string {
  return `      RAISE EXCEPTION USING ERRCODE = '${RAISED.erased}',
        MESSAGE = format('%s on %I.%I refused: it names a ${subject.name} that was erased', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
        HINT = 'Rows of an erased ${subject.name} are not written any more.',
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;`;
}

/**
 * Whether a row's triggers let a session erase it: it says that it erases, its login is a member of the role that owns the
 * register (whoever is that could take the trigger away), and the row's subject stands in the register. It runs with the
 * caller's rights and reads the register only after the second question, so that nobody else learns who is in it.
 */
export function doorFunction(plan: ErasurePlan): Routine {
  const of = doorOf(plan);
  const body = `BEGIN
  IF current_setting(${literal(ERASING_SETTING)}, true) IS DISTINCT FROM 'on' OR NOT ${ownsRegister(plan)} THEN RETURN false; END IF;
  RETURN coalesce((SELECT EXISTS (SELECT FROM ${qualified(plan.register)} AS e WHERE e.subject = kind AND e.digest = ${digestSql(
    digestSql(`(SELECT s.salt FROM ${qualified(plan.salt)} AS s)`, ['kind']),
    ['key'],
  )} AND within IS NULL
    OR e.subject = kind AND e.digest = ${digestSql(
      digestSql(`(SELECT s.salt FROM ${qualified(plan.salt)} AS s)`, ['kind']),
      ['within', 'key'],
    )})), false);
END`;
  return {
    of,
    takes: 'text, text, text',
    sql: `CREATE FUNCTION ${qualified(of)}(kind text, within text, key text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $holdfast$\n#variable_conflict use_variable\n${body}\n$holdfast$`,
  };
}

/** The call of {@link doorFunction} for the old row of a trigger. */
export function doorCall(plan: ErasurePlan, of: Carried & { readonly by: Carrier }): string {
  const { subject, rule, by } = of;
  const within = rule.within === undefined ? 'NULL' : `OLD.${ident(rule.within.column)}::pg_catalog.text`;
  return `${qualified(doorOf(plan))}(${literal(subject.name)}, ${within}, OLD.${ident(by.column)}::pg_catalog.text)`;
}

function doorOf(plan: ErasurePlan): RelationName {
  return { schema: plan.register.schema, name: 'holdfast_is_erased' };
}

function ownsRegister(plan: ErasurePlan): string {
  return `pg_has_role(session_user, (SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${literal(plan.register.schema)} AND c.relname = ${literal(plan.register.name)}), 'MEMBER')`;
}

/** A query with a row where one of the rows names somebody in the register: each key is hashed once, whoever is in it. */
function namesErased(
  plan: ErasurePlan,
  of: Carried & { readonly by: Carrier },
  rows: 'NEW' | 'new_rows',
): string {
  const { subject, rule, by } = of;
  const columns = [...(rule.within === undefined ? [] : [rule.within.column]), by.column].map(ident);
  const own = rows === 'NEW' ? columns.map((column) => `NEW.${column} AS ${column}`) : columns;
  const keys =
    rows === 'NEW' ? `SELECT ${own.join(', ')}` : `SELECT DISTINCT ${own.join(', ')} FROM new_rows`;
  const start = digestSql(`(SELECT s.salt FROM ${qualified(plan.salt)} AS s)`, [
    `${literal(subject.name)}::pg_catalog.text`,
  ]);
  const digest = digestSql(
    start,
    columns.map((column) => `k.${column}::pg_catalog.text`),
  );
  return `WITH named AS MATERIALIZED (SELECT ${digest} AS digest FROM (${keys}) AS k)
      SELECT FROM named JOIN ${qualified(plan.register)} AS e ON e.subject = ${literal(subject.name)} AND e.digest = named.digest`;
}
