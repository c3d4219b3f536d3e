// HT611: a table of policies that takes nonsense. HT614: a table of policies that drives nothing.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { routines } from '../facts/functions.ts';
import { indexes } from '../facts/indexes.ts';
import { relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';

/** A table whose rows say for how long the rows of other tables are kept. */
interface Policies {
  readonly table: Relation;
  /** The column that names a table. */
  readonly of: string;
  /** The column that says how long. */
  readonly days: string;
}

async function policiesOf({ facts }: TrapContext): Promise<readonly Policies[]> {
  return (await facts(relations)).tables.flatMap((table) => {
    const named = (pattern: RegExp): string | undefined =>
      table.columns.find(({ name }) => pattern.test(name))?.name;
    const of = named(/^(?:table_name|table|relation|relation_name|entity)$/);
    const days = named(/^(?:retention|keep|retain)(?:_days|_period|_for|_months)?$|^days_to_keep$/);
    return of === undefined || days === undefined ? [] : { table, of, days };
  });
}

export const looseRetention: TrapCheck = {
  code: 'HT611',
  name: 'retention-policies-unchecked',
  title: 'A table of retention policies takes two for one table, or a negative one',
  severity: 'warning',
  traps: ['B4-07'],
  find: async (context) => {
    const keys = await context.facts(constraints);
    const { of: indexesOf } = await context.facts(indexes);
    return (await policiesOf(context)).flatMap(({ table, of, days }): readonly Draft[] => {
      const once = indexesOf(table.oid).some(
        ({ unique, predicate, columns }) => unique && predicate === null && columns.includes(of),
      );
      const sane = keys.of(table.oid).some(({ kind, columns }) => kind === 'c' && columns.includes(days));
      if (once && sane) return [];
      const name = (what: string): string => ident(`${table.name.slice(0, 40)}_${what}`);
      return [
        {
          subject: relationSubject(table),
          what: [
            ...(once ? [] : [`${of} is not unique.`]),
            ...(sane ? [] : [`No CHECK says what ${days} may be.`]),
          ].join(' '),
          effect:
            'A second row for the same table is stored and whoever works them takes either; -5 days deletes what is to come.',
          mend: [
            ...(once
              ? []
              : [`ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${name('once')} UNIQUE (${ident(of)})`]),
            ...(sane
              ? []
              : [
                  `ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${name('positive')} CHECK (${positive(table, days)})`,
                ]),
          ],
          advice:
            'Hold the rows against the catalogue when they are read: a table of that name may not be there.',
        },
      ];
    });
  },
  page: {
    what: 'A table `data_retention_policies (table_name, retention_days, …)` without UNIQUE and CHECK.',
    effect:
      'A migration that runs twice doubles the policies; `retention_days = -5` and a table that does not exist are accepted.',
    mend: '`UNIQUE (table_name)`, `CHECK (retention_days > 0)`.',
  },
};

function positive(table: Relation, days: string): string {
  const type = table.columns.find(({ name }) => name === days)?.type ?? '';
  return type === 'interval' ? `${ident(days)} > interval '0'` : `${ident(days)} > 0`;
}

export const idleRetention: TrapCheck = {
  code: 'HT614',
  name: 'retention-policies-unread',
  title: 'No function of the database reads its table of retention policies',
  severity: 'info',
  traps: ['B4-07', 'B1-21'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    return (await policiesOf(context)).flatMap(({ table }): readonly Draft[] => {
      if (all.some(({ source }) => source.includes(table.name))) return [];
      return [
        {
          subject: relationSubject(table),
          what: `No function or procedure names ${table.name}.`,
          effect: 'Unless the application carries the policies out, nothing is archived or deleted by them.',
          mend: [],
          advice:
            'Let one job read the policies and stamp each with when it last ran, so that one that does not run is seen.',
        },
      ];
    });
  },
  page: {
    what: 'Policies as rows, and functions that hold the same numbers in their own text.',
    effect: 'A changed row changes nothing. The table says that nothing is deleted while a function deletes.',
    mend: 'One engine that reads the rows, or no rows.',
  },
};
