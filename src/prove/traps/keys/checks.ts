// HT601: a CHECK that refuses nothing. HT602: a CHECK that lets NULL pass. HT603: a state without one. HT604: NOT VALID.
// HT613: numbers that may be negative.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { type Constraint, constraints } from '../facts/constraints.ts';
import { inScope, partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, type RelationColumn, relations } from '../facts/relations.ts';
import { neverFalse } from './probe.ts';

export const checkNeverRejects: TrapCheck = {
  code: 'HT601',
  name: 'check-never-rejects',
  title: 'A CHECK refuses nothing',
  severity: 'error',
  traps: ['B2-01'],
  find: async (context) => [...(await ofTables(context)), ...(await ofDomains(context))],
  page: {
    what: "`CHECK (confidence >= 0.0 AND confidence <= 1.0 OR NULL)`, to say that NULL is allowed; or `CHECK (state IN ('new', 'done', NULL))`.",
    effect:
      'A CHECK refuses a row only where its expression is false, and `false OR NULL` is NULL: 42 and -7 are stored. A value that is in no list that holds NULL gives NULL as well.',
    mend: 'Take the `OR NULL` away: NULL passes a CHECK by itself. Look at the rows that came in, add the right CHECK as NOT VALID, repair, and validate it.',
  },
};

/** What can be refused shows no constant that swallows it; the planner decides about the rest. */
const DOUBTFUL = /\bNULL::|\btrue\b/;

function expressionOf(definition: string): string {
  return definition.replace(/^CHECK /, '').replace(/(?: NO INHERIT| NOT VALID| NOT ENFORCED)+$/, '');
}

async function ofTables({ facts, query }: TrapContext): Promise<readonly Draft[]> {
  const { byOid } = await facts(relations);
  const drafts: Draft[] = [];
  for (const check of (await facts(constraints)).all) {
    const table = byOid(check.relation);
    // An expression that calls what a user made is not handed to the planner, which may run it.
    if (check.kind !== 'c' || check.inherited || check.calls.length > 0 || table === undefined) continue;
    const expression = expressionOf(check.definition);
    if (expression.includes('OPERATOR(')) continue;
    if (!DOUBTFUL.test(expression) && check.columns.length > 0) continue;
    const row = `pg_catalog.json_populate_record(NULL::${qualified(table)}, '{}'::pg_catalog.json) AS ${ident(table.name)}`;
    if (!(await neverFalse(query, row, expression))) continue;
    drafts.push({
      subject: partSubject('constraint', check.name, table),
      ...REFUSES_NOTHING(expression),
      mend: [`ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${ident(check.name)}`],
    });
  }
  return drafts;
}

const REFUSES_NOTHING = (expression: string): Pick<Draft, 'what' | 'effect' | 'advice'> => ({
  what: `CHECK ${expression} is never false: the planner makes a filter of its contrary that no row passes.`,
  effect: 'Every value is stored: a CHECK refuses a row only when it is false, and NULL counts as passed.',
  advice: `Dropping it changes nothing. Write what was meant without OR NULL and without NULL in a list (NULL passes by itself), add it as NOT VALID, repair the rows, and VALIDATE it.`,
});

const DOMAINS_SQL = `
  SELECT n.nspname AS schema, t.typname AS domain, k.conname AS name, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
         pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_type t ON t.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE k.contype = 'c' AND ${inScope('n')}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
                      AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
  ORDER BY 1, 2, 3`;

interface DomainRow {
  readonly schema: string;
  readonly domain: string;
  readonly name: string;
  readonly definition: string;
  readonly base: string;
}

async function ofDomains({ query }: TrapContext): Promise<readonly Draft[]> {
  const drafts: Draft[] = [];
  for (const { schema, domain, name, definition, base } of await query<DomainRow>(DOMAINS_SQL)) {
    const expression = expressionOf(definition);
    if (expression.includes('OPERATOR(') || !DOUBTFUL.test(expression)) continue;
    const row = `pg_catalog.json_to_record('{}'::pg_catalog.json) AS d(value ${base})`;
    if (!(await neverFalse(query, row, expression))) continue;
    drafts.push({
      subject: `domain ${schema}.${domain}`,
      ...REFUSES_NOTHING(expression),
      mend: [`ALTER DOMAIN ${qualified({ schema, name: domain })} DROP CONSTRAINT ${ident(name)}`],
    });
  }
  return drafts;
}

/** One column and a list of values, as PostgreSQL writes `c IN ('a', 'b')`. */
const LIST = /^\(+("?[\w$]+"?)\)?(?:::[\w ]+)? = ANY \(/;

export const checkPassesNull: TrapCheck = {
  code: 'HT602',
  name: 'check-passes-null',
  title: 'A CHECK with a list of values lets NULL pass',
  severity: 'info',
  traps: ['B1-20'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table) =>
      of(table.oid).flatMap((check): readonly Draft[] => {
        const column = listed(table, check);
        if (column === undefined || column.notNull) return [];
        const meant = column.default === null;
        return [
          {
            subject: partSubject('column', column.name, table),
            severity: meant ? 'info' : 'warning',
            what: `CHECK ${check.name} names its values, and it may be NULL${meant ? '' : ` although its default is ${column.default}`}.`,
            effect:
              'NULL passes the CHECK: a row without a value is in none of the lists that reports and indexes are made of.',
            mend: [`ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column.name)} SET NOT NULL`],
            advice: 'Give rows that hold NULL a value first; where having none is meant, leave it.',
          },
        ];
      }),
    );
  },
  page: {
    what: "`status text DEFAULT 'new' CHECK (status IN ('new', 'done'))`, without NOT NULL.",
    effect:
      "A CHECK passes where its expression is NULL, so NULL is a value that the list does not show. `WHERE status <> 'done'` leaves such rows out.",
    mend: '`ALTER TABLE … ALTER COLUMN … SET NOT NULL`, after rows that hold NULL were given a value.',
  },
};

function listed(table: Relation, check: Constraint): RelationColumn | undefined {
  const [name, ...more] = check.columns;
  if (check.kind !== 'c' || check.inherited || name === undefined || more.length > 0) return undefined;
  const expression = expressionOf(check.definition);
  if (!LIST.test(expression) || / OR | IS (?:NOT )?NULL/.test(expression)) return undefined;
  return table.columns.find((column) => column.name === name);
}

const STATE = /^(?:.*_)?(?:status|state|phase|priority|severity|stage|role)$/;
const TEXT = /^(?:text|character varying(?:\(\d+\))?)$/;

export const freeTextState: TrapCheck = {
  code: 'HT603',
  name: 'state-without-values',
  title: 'A column of states takes any text',
  severity: 'info',
  traps: ['B4-27', 'B4-37', 'B1-20'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table) => {
      if (table.parent !== null) return [];
      const bound = new Set(
        of(table.oid).flatMap(({ kind, columns }) => (kind === 'c' || kind === 'f' ? columns : [])),
      );
      return table.columns
        .filter(
          ({ name, type, generated }) =>
            STATE.test(name) && TEXT.test(type) && !bound.has(name) && !generated,
        )
        .map((column): Draft => ({
          subject: partSubject('column', column.name, table),
          what: `It is ${column.type} and no CHECK, enum, domain or foreign key says which values it has.`,
          effect:
            "'whatever' is stored as readily as 'done'; a mistyped state is in no list and no index of one.",
          mend: [],
          advice: `ALTER TABLE ${qualified(table)} ADD CHECK (${ident(column.name)} IN (…)) NOT VALID with the values the application knows, repair the rows, then VALIDATE it; and SET NOT NULL.`,
        }));
    });
  },
  page: {
    what: '`status varchar(50)` with the values in a comment.',
    effect:
      'Any text is accepted. The application treats an unknown state as none of those it knows, and the row is left where it is.',
    mend: 'A CHECK with the values and NOT NULL. Text with a CHECK can be indexed under row security; a native enum cannot, because `enum_eq` is not leakproof.',
  },
};

export const notValidated: TrapCheck = {
  code: 'HT604',
  name: 'constraint-not-validated',
  title: 'A constraint was added NOT VALID and never validated',
  severity: 'warning',
  traps: ['B2-13'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(constraints)).all.flatMap((one): readonly Draft[] => {
      const table = byOid(one.relation);
      if (table === undefined || one.validated || one.inherited) return [];
      const enforced = !one.definition.includes('NOT ENFORCED');
      const of = one.kind === 'f' ? 'foreign key' : 'constraint';
      return [
        {
          subject: partSubject(of, one.name, table),
          what: enforced
            ? 'It is NOT VALID: rows from before it were never looked at.'
            : 'It is NOT ENFORCED: no row is looked at.',
          effect: enforced
            ? 'Rows that break it may stand in the table, fail at their next UPDATE, and keep a dump from being restored whole; the planner does not use it.'
            : 'Rows that break it are stored.',
          mend: enforced ? [`ALTER TABLE ${qualified(table)} VALIDATE CONSTRAINT ${ident(one.name)}`] : [],
          advice: enforced
            ? 'VALIDATE reads the table and blocks no writer; where it fails, its message names the constraint: repair those rows first.'
            : 'Drop it, or make it again without NOT ENFORCED.',
        },
      ];
    });
  },
  page: {
    what: '`ALTER TABLE … ADD CONSTRAINT … NOT VALID`, which is the right way to begin; the second half was forgotten. From PostgreSQL 18 on also `NOT ENFORCED`.',
    effect:
      'New rows are held to it, old ones are not. An UPDATE of an old row that breaks it fails, whatever the UPDATE was about.',
    mend: '`ALTER TABLE … VALIDATE CONSTRAINT …`: it takes SHARE UPDATE EXCLUSIVE.',
  },
};

const AMOUNT =
  /(?:^|_)(?:size|bytes|count|attempts|retries|retry_count|ttl|days|seconds|duration(?:_ms)?|percent|coverage|quantity|priority)$/;
const NUMBER = /^(?:smallint|integer|bigint|real|double precision|numeric(?:\(.*\))?)$/;

export const negativeNumbers: TrapCheck = {
  code: 'HT613',
  name: 'numbers-may-be-negative',
  title: 'Sizes, counts and durations may be negative',
  severity: 'info',
  traps: ['B3-17', 'B4-27', 'B4-07', 'B3-21'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table): readonly Draft[] => {
      if (table.parent !== null) return [];
      const bound = new Set(of(table.oid).flatMap(({ kind, columns }) => (kind === 'c' ? columns : [])));
      const free = table.columns.filter(
        ({ name, type, generated }) =>
          AMOUNT.test(name) && NUMBER.test(type) && !bound.has(name) && !generated,
      );
      if (free.length === 0) return [];
      const names = free.map(({ name }) => name);
      return [
        {
          subject: relationSubject(table),
          what: `No CHECK says what ${names.join(', ')} may be.`,
          effect: '-1 is stored as readily as 1, and a percentage of 350 as well.',
          mend: names.flatMap((name) => {
            const constraint = ident(`${table.name.slice(0, 25)}_${name.slice(0, 25)}_positive`);
            return [
              `ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${constraint} CHECK (${ident(name)} >= 0) NOT VALID`,
              `ALTER TABLE ${qualified(table)} VALIDATE CONSTRAINT ${constraint}`,
            ];
          }),
          advice: 'Where a negative number means something, say so in a CHECK of its own.',
        },
      ];
    });
  },
  page: {
    what: 'Columns such as `data_size`, `retention_days`, `ttl`, `line_coverage` without a CHECK.',
    effect: 'A negative size or a coverage of 350.55 % is stored, and sums of it are wrong.',
    mend: '`CHECK (data_size >= 0)`, added as NOT VALID and validated.',
  },
};
