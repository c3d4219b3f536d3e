// HT207: functions that find their objects only with the search path of whoever wrote them.
import { ident } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import {
  fixedPath,
  routines,
  routineSql,
  routineSubject,
  type Routine,
  type Routines,
} from '../facts/functions.ts';
import { indexes } from '../facts/indexes.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';
import { looseNames } from '../facts/loose-names.ts';
import { callsNamed } from '../facts/sql-text.ts';
import { views } from '../facts/views.ts';

/** From this version on REFRESH, CREATE INDEX and others run with `search_path = pg_catalog, pg_temp`. */
const RESTRICTED_FROM = 170_000;

interface Use {
  readonly by: string;
  readonly kind: 'matview' | 'index' | 'check';
  readonly routine: Routine;
}

export const unqualifiedInRestrictedPath: TrapCheck = {
  code: 'HT207',
  name: 'unqualified-in-restricted-path',
  title: 'A function that a view, an index or a CHECK calls finds its objects by the search path',
  severity: 'warning',
  traps: ['BX-28', 'BX-27'],
  find: async (context) => {
    const used = await uses(context);
    const loose = await looseNames(context, [...new Set(used.map(({ routine }) => routine))]);
    const seen = new Set<Routine>();
    return used.flatMap((use): Draft | readonly Draft[] => {
      const found = loose.get(use.routine);
      if (found === undefined || seen.has(use.routine)) return [];
      seen.add(use.routine);
      const alike = used.filter(({ routine }) => routine === use.routine);
      const [first] = found;
      const error =
        first?.kind === 'function'
          ? `function ${first.name}(…) does not exist`
          : `relation "${first?.name}" does not exist`;
      const now = context.versionNumber >= RESTRICTED_FROM && alike.some(({ kind }) => kind !== 'check');
      return {
        subject: routineSubject(use.routine),
        what: `${alike.map(({ by }) => by).join(', ')} calls it; it names ${found.map(({ name }) => name).join(', ')} without a schema and has no search_path of its own.`,
        effect: `${now ? 'REFRESH and CREATE INDEX run with a search path of pg_catalog alone and fail: ' : 'Where the search path is pg_catalog alone (a restore; REFRESH and CREATE INDEX from PostgreSQL 17 on) it fails: '}${error}. A dump restores no row of a table whose CHECK calls it.`,
        mend: [
          `ALTER ${routineSql(use.routine)} SET search_path = ${['pg_catalog', ...new Set(found.map(({ schema }) => schema))].map(ident).join(', ')}, pg_temp`,
        ],
        advice:
          'Better still, write the schema before each name. A function with a setting is not inlined into queries.',
        ...(now ? { severity: 'error' as const } : {}),
      };
    });
  },
  page: {
    what: 'A function names tables or functions without their schema, has no `SET search_path`, and stands in a materialised view, an index or a CHECK.',
    effect:
      'From PostgreSQL 17 on `REFRESH MATERIALIZED VIEW`, `CREATE INDEX` and their like run with a restricted search path: `function lbl(integer) does not exist`. A restore has an empty one on every version: a table whose CHECK calls such a function gets 0 rows, and psql ends with 0.',
    mend: 'Write the schema before each name, or `ALTER FUNCTION … SET search_path = pg_catalog, app, pg_temp`.',
  },
};

async function uses({ facts }: TrapContext): Promise<readonly Use[]> {
  const { all, byOid } = await facts(relations);
  const functions = await facts(routines);
  const known = await facts(views);
  const at = await facts(indexes);
  const keys = await facts(constraints);
  const of = (oids: readonly number[], use: Omit<Use, 'routine'>): readonly Use[] =>
    reached(oids, functions).map((routine) => ({ ...use, routine }));
  return [
    ...all
      .filter(({ kind }) => kind === 'm')
      .flatMap((view) =>
        of(known.get(view.oid)?.calls ?? [], { by: relationSubject(view), kind: 'matview' }),
      ),
    ...at.all.flatMap((index) =>
      of(index.calls, { by: `index ${index.schema}.${index.name}`, kind: 'index' }),
    ),
    ...keys.all.flatMap((key) => {
      const table = byOid(key.relation);
      return table === undefined
        ? []
        : of(key.calls, { by: partSubject('CHECK', key.name, table), kind: 'check' });
    }),
  ];
}

// Functions called by their text are found by name: the first of that name will do.
function reached(oids: readonly number[], { all, byOid }: Routines): readonly Routine[] {
  const found = new Set(oids.flatMap((oid) => byOid(oid) ?? []));
  for (const routine of found) {
    // A fixed path holds for what it calls as well.
    if (fixedPath(routine) !== undefined) continue;
    for (const { schema, name } of callsNamed(routine.code)) {
      const called = all.find(
        (other) => other.name === name && (schema === undefined || other.schema === schema),
      );
      if (called !== undefined) found.add(called);
    }
  }
  return [...found];
}
