// HT706: a window that is no condition of an index. HT707: an index in which the tenant does not lead.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { routines, routineSubject } from '../facts/functions.ts';
import { indexes } from '../facts/indexes.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';
import { relationsNamed } from '../facts/sql-text.ts';
import { views } from '../facts/views.ts';
import { keysOf } from './parts.ts';

/** `CURRENT_DATE - INTERVAL '7 days'`, as written and as PostgreSQL writes it. */
const WINDOW = /\bcurrent_date\s*-\s*(?:interval\b|'[^']*'::interval\b)/i;

export const windowLosesIndex: TrapCheck = {
  code: 'HT706',
  name: 'window-loses-index',
  title: 'A window of CURRENT_DATE minus an interval is no condition of an index under row security',
  severity: 'info',
  traps: ['BX-05'],
  find: async ({ facts }) => {
    const { byOid, byName } = await facts(relations);
    const inViews = [...(await facts(views)).values()].flatMap((view): readonly Draft[] => {
      const relation = byOid(view.oid);
      if (relation === undefined || !WINDOW.test(view.definition)) return [];
      return view.reads.some((oid) => secured(byOid(oid))) ? [told(relationSubject(relation))] : [];
    });
    const inRoutines = (await facts(routines)).all.flatMap((routine): readonly Draft[] => {
      if (!WINDOW.test(routine.code)) return [];
      const named = relationsNamed(routine.code).map(({ schema = routine.schema, name }) =>
        byName({ schema, name }),
      );
      return named.some(secured) ? [told(routineSubject(routine))] : [];
    });
    return [...inViews, ...inRoutines];
  },
  page: {
    what: "`WHERE created_at >= CURRENT_DATE - INTERVAL '7 days'` on a `timestamptz` column.",
    effect:
      '`date - interval` is a `timestamp`, and `timestamptz >= timestamp` is STABLE and not leakproof: under row security it drops from Index Cond to Filter. Partitions are still pruned when the query starts. And it means midnight in the session’s time zone.',
    mend: "`created_at >= now() - interval '7 days'`.",
  },
};

function secured(table: Relation | undefined): boolean {
  if (table?.rowSecurity !== true) return false;
  return table.columns.some(({ type }) => type === 'timestamp with time zone');
}

function told(subject: string): Draft {
  return {
    subject,
    what: 'It compares an instant with CURRENT_DATE minus an interval and reads a table under row security.',
    effect:
      'timestamptz >= timestamp is not leakproof: for a role under row security it is a filter and no condition of an index. It also begins at midnight of the session’s time zone.',
    mend: [],
    advice: "Write now() - interval '7 days', or hand in a timestamptz.",
  };
}

export const tenantNotLeading: TrapCheck = {
  code: 'HT707',
  name: 'tenant-not-leading',
  title: 'The column that says whose a row is does not lead in the indexes of its table',
  severity: 'info',
  traps: ['B0-17'],
  find: async ({ facts, boundaries }) => {
    const { byName, partitions } = await facts(relations);
    const { of } = await facts(indexes);
    const { holders } = await facts(rights);
    return boundaries.flatMap(({ tables }) =>
      tables.flatMap(({ of: name, column }): readonly Draft[] => {
        const table = byName(name);
        if (table === undefined || !table.columns.some((one) => one.name === column)) return [];
        // What no application reads is read whole by those who keep it.
        if (holders(table.oid, 'select', 'update', 'delete').length === 0) return [];
        const own = of(table.oid).filter(({ valid, method }) => valid && method === 'btree');
        const led = (one: Relation): boolean =>
          of(one.oid).some(
            ({ columns, predicate, valid }) => valid && columns[0] === column && predicate === null,
          ) ||
          // An archive's partitions bring the indexes they had.
          (one.kind === 'p' && partitions(one).every(led));
        const others = own.filter(
          ({ columns, unique }) => !unique && columns.length > 1 && columns.indexOf(column) > 0,
        );
        return [
          ...(led(table) ? [] : [unled(table, column)]),
          ...others.map((index): Draft => ({
            subject: partSubject('index', index.name, table),
            what: `Its keys are (${keysOf(index).join(', ')}): ${column} is not the first.`,
            effect: `The policy asks for one ${column}; this index can be used for that only together with its first key.`,
            mend: [],
            advice: `Where queries name ${index.columns[0] ?? 'the first key'} it serves; otherwise put ${column} first.`,
          })),
        ];
      }),
    );
  },
  page: {
    what: '“tenant_id in every compound index”, at any place.',
    effect:
      'A btree narrows from its first key on. With `(created_at, tenant_id)` the policy’s `tenant_id = …` reads the window of every tenant; with no index that begins with the tenant, every query of a small tenant reads the whole table.',
    mend: 'An index that begins with the column: `CREATE INDEX CONCURRENTLY ON t (tenant_id, created_at)`.',
  },
};

function unled(table: Relation, column: string): Draft {
  const concurrently = table.kind === 'p' ? '' : ' CONCURRENTLY';
  return {
    subject: relationSubject(table),
    severity: 'warning',
    what: `None of its indexes begins with ${column}.`,
    effect: `Each query of one ${column} that names nothing more reads the rows of all of them.`,
    mend: [`CREATE INDEX${concurrently} ON ${qualified(table)} (${ident(column)})`],
    advice:
      'An index of what is usually asked for together, the tenant first, is worth more than the bare column.',
  };
}
