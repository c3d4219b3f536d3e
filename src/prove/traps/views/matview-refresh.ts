// HT204 to HT206 and HT212: whether a materialised view can be refreshed, and is.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { cron } from '../facts/cron.ts';
import { routines } from '../facts/functions.ts';
import { indexes, type Index } from '../facts/indexes.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { views } from '../facts/views.ts';
import { groupedColumns } from './view-text.ts';

export const matviewWithoutKey: TrapCheck = {
  code: 'HT204',
  name: 'matview-without-key',
  title: 'A materialised view cannot be refreshed concurrently: it has no plain unique index',
  severity: 'warning',
  traps: ['BX-14', 'B2-04', 'B3-08', 'B3-09', 'B4-08'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const { of } = await context.facts(indexes);
    const known = await context.facts(views);
    const refreshed = await refreshes(context);
    return all.flatMap((view): Draft | readonly Draft[] => {
      if (view.kind !== 'm' || of(view.oid).some(isKey)) return [];
      const by = refreshed(view).find(({ concurrently }) => concurrently);
      const columns = groupedColumns(known.get(view.oid)?.definition ?? '');
      const partial = of(view.oid).find(({ unique }) => unique);
      return {
        subject: relationSubject(view),
        what: `It has no unique index that covers all its rows by columns alone${partial === undefined ? '' : `; ${partial.name} is ${partial.valid ? 'partial or on an expression' : 'invalid'}`}.`,
        effect:
          by === undefined
            ? `REFRESH without CONCURRENTLY locks out every reader while it runs; with it: cannot refresh materialized view "${view.schema}.${view.name}" concurrently.`
            : `${by.by} fails every time: cannot refresh materialized view "${view.schema}.${view.name}" concurrently.`,
        mend:
          columns === undefined
            ? []
            : [
                `CREATE UNIQUE INDEX ${ident(`${view.name.slice(0, 59)}_key`)} ON ${qualified(view)} (${columns.map(ident).join(', ')})`,
              ],
        advice:
          columns === undefined
            ? 'Name the columns that tell its rows apart: CREATE UNIQUE INDEX ON it (…), without WHERE and expressions.'
            : 'The columns are those it is grouped by. Where one may be NULL, give it a value with coalesce in the view.',
        ...(by === undefined ? {} : { severity: 'error' as const }),
      };
    });
  },
  page: {
    what: 'A materialised view with no unique index, with a partial one, or with one on an expression.',
    effect:
      '`ERROR: cannot refresh materialized view "stats" concurrently`, `HINT: Create a unique index with no WHERE clause on one or more columns of the materialized view.` Two refreshes in one function are one transaction: the failing one takes the good one back, and no view is ever refreshed.',
    mend: 'A plain unique index on the columns that tell the rows apart, usually those of the GROUP BY.',
  },
};

function isKey({ unique, valid, immediate, predicate, expressions }: Index): boolean {
  return unique && valid && immediate && predicate === null && expressions === null;
}

interface Refresh {
  readonly by: string;
  readonly concurrently: boolean;
}

const REFRESH = /refresh\s+materialized\s+view\s+(concurrently\s+)?(?:"?([\w$]+)"?\s*\.\s*)?"?([\w$%]+)"?/gi;

/** What in the database refreshes a view: functions and jobs of pg_cron whose text says so. */
async function refreshes({ facts }: TrapContext): Promise<(view: Relation) => readonly Refresh[]> {
  const { all } = await facts(relations);
  const texts = [
    ...(await facts(routines)).all.flatMap(({ schema, name, code, executed }) =>
      [code, ...executed].map((text) => ({ by: `function ${schema}.${name}`, home: schema, text })),
    ),
    ...(await facts(cron)).jobs.map(({ name, id, command }) => ({
      by: `job ${name ?? id}`,
      home: undefined,
      text: command,
    })),
  ];
  const named = texts.flatMap(({ by, home, text }) =>
    [...text.matchAll(REFRESH)].map(([, concurrently, schema, name = '']) => ({
      by,
      home,
      schema: schema?.toLowerCase(),
      name: name.toLowerCase(),
      concurrently: concurrently !== undefined,
    })),
  );
  return (view) => {
    const alone = all.filter(({ kind, name }) => kind === 'm' && name === view.name).length === 1;
    return named.filter(({ home, schema, name }) => {
      // Put together at run time: it may be any.
      if (name.includes('%')) return true;
      if (name !== view.name.toLowerCase()) return false;
      return (schema ?? (alone ? view.schema.toLowerCase() : home)) === view.schema.toLowerCase();
    });
  };
}

export const matviewNotPopulated: TrapCheck = {
  code: 'HT205',
  name: 'matview-not-populated',
  title: 'A materialised view was never filled',
  severity: 'error',
  traps: ['BX-14', 'BX-02'],
  find: async ({ facts }) => {
    const { all } = await facts(relations);
    return all.flatMap((view): Draft | readonly Draft[] =>
      view.kind !== 'm' || view.populated
        ? []
        : {
            subject: relationSubject(view),
            what: 'It was made WITH NO DATA, or a restore could not fill it.',
            effect: `Every SELECT fails: materialized view "${view.name}" has not been populated. So does a concurrent refresh: CONCURRENTLY cannot be used when the materialized view is not populated.`,
            mend: [`REFRESH MATERIALIZED VIEW ${qualified(view)}`],
            advice:
              'The first refresh cannot be concurrent; it locks out nobody, for nobody can read it yet.',
          },
    );
  },
  page: {
    what: 'A materialised view made WITH NO DATA and never refreshed, or left behind by a restore that failed on it.',
    effect:
      '`ERROR: materialized view "stats" has not been populated`; and `CONCURRENTLY cannot be used when the materialized view is not populated`, so that a job that refreshes concurrently never gets it going.',
    mend: 'One plain `REFRESH MATERIALIZED VIEW`; concurrently from then on.',
  },
};

/** Views larger than this (8 kB pages) are judged by the planner's statistics and not read. */
const MOST_PAGES = 10_000;

const NULLS_BY_STATISTICS_SQL = `
  SELECT s.attname::pg_catalog.text AS name FROM pg_catalog.pg_stats s
  WHERE s.schemaname = $1 AND s.tablename = $2 AND s.attname = ANY ($3::pg_catalog.name[]) AND s.null_frac > 0`;

export const matviewNullKey: TrapCheck = {
  code: 'HT206',
  name: 'matview-null-key',
  title: 'Rows with NULL in the key are written anew by every concurrent refresh',
  severity: 'warning',
  traps: ['BX-15'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const { of } = await context.facts(indexes);
    const drafts: Draft[] = [];
    const closed: Relation[] = [];
    for (const view of all.filter(({ kind, populated }) => kind === 'm' && populated)) {
      const keys = of(view.oid).filter(isKey);
      const [key] = keys;
      if (key === undefined) continue;
      const columns = [...new Set(keys.flatMap((one) => one.columns.filter((name) => name !== null)))];
      const empty = await withNulls(context, view, columns);
      if (empty === undefined) {
        closed.push(view);
        continue;
      }
      // Rows are told apart by all keys together: a refresh compares them with = in each.
      if (empty.length === 0) continue;
      drafts.push({
        subject: relationSubject(view),
        what: `${empty.join(', ')} of its key ${key.name} is NULL in some rows.`,
        effect:
          'NULL equals nothing, with NULLS NOT DISTINCT either: each concurrent refresh deletes these rows and inserts them again, and leaves dead rows behind.',
        mend: [],
        advice: `Write coalesce(${empty[0]}, …) in the view, or leave such rows out.`,
      });
    }
    const [first] = closed;
    if (first !== undefined) {
      const more = closed.length === 1 ? '' : ` and ${closed.length - 1} more`;
      context.unseen(`no right to read ${relationSubject(first)}${more}`);
    }
    return drafts;
  },
  page: {
    what: 'A materialised view is grouped by a column that may be NULL, and the unique index contains it.',
    effect:
      'A concurrent refresh joins old and new rows by equality. NULL equals nothing: such a row gets a new place at every refresh, every five minutes dead rows.',
    mend: '`coalesce(account_id, …)` in the view, or `WHERE account_id IS NOT NULL`.',
  },
};

/** Columns with a NULL in some row; undefined where the role may not look. */
async function withNulls(
  { query }: TrapContext,
  view: Relation,
  columns: readonly string[],
): Promise<readonly string[] | undefined> {
  if (view.pages > MOST_PAGES) {
    const rows = await query<{ name: string }>(NULLS_BY_STATISTICS_SQL, [view.schema, view.name, columns]);
    return rows.map(({ name }) => name);
  }
  const [may] = await query<{ may: boolean }>(
    `SELECT pg_catalog.has_table_privilege($1::pg_catalog.oid, 'SELECT') AND pg_catalog.has_schema_privilege($2, 'USAGE') AS may`,
    [view.oid, view.schema],
  );
  if (may?.may !== true) return undefined;
  const asked = columns.map(
    (name, at) => `EXISTS (SELECT FROM ${qualified(view)} WHERE ${ident(name)} IS NULL) AS c${at}`,
  );
  const [row] = await query<Record<string, boolean>>(`SELECT ${asked.join(', ')}`);
  return columns.filter((_name, at) => row?.[`c${at}`] === true);
}

const KEEPER_SQL = `SELECT pg_catalog.to_regnamespace('holdfast') IS NOT NULL AS there`;

export const matviewNeverRefreshed: TrapCheck = {
  code: 'HT212',
  name: 'matview-never-refreshed',
  title: 'Nothing in the database refreshes a materialised view',
  severity: 'info',
  traps: ['B4-10'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const refreshed = await refreshes(context);
    const [keeper] = await context.query<{ there: boolean }>(KEEPER_SQL);
    // A keeper's jobs are not in the catalogue.
    if (keeper?.there === true) return [];
    return all.flatMap((view): Draft | readonly Draft[] =>
      view.kind !== 'm' || refreshed(view).length > 0
        ? []
        : {
            subject: relationSubject(view),
            what: 'No function and no job of pg_cron that could be seen refreshes it.',
            effect: 'Unless something outside does, it shows what was there when it was made.',
            mend: [],
            advice: 'Schedule REFRESH MATERIALIZED VIEW CONCURRENTLY, one view a job, and measure its age.',
          },
    );
  },
  page: {
    what: 'A materialised view, and neither a function nor a pg_cron job that refreshes it.',
    effect:
      'It keeps showing the rows of the day it was made. Whether a scheduler outside refreshes it cannot be seen from the catalogue.',
    mend: 'A job for each view, with its own transaction, and an alert on its age.',
  },
};
