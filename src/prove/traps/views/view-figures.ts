// HT208 to HT210: views whose figures are not what they say.
import type { Draft, TrapCheck } from '../check.ts';
import { constraints, type Constraints } from '../facts/constraints.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { views } from '../facts/views.ts';

// As pg_get_viewdef writes a join on one pair of columns: LEFT JOIN shop.tasks t ON ((t.user_id = u.id)).
const JOINED =
  /JOIN ((?:[\w$]+|"[^"]+")\.(?:[\w$]+|"[^"]+")) ([\w$]+) ON \(+([\w$]+)\.([\w$]+) = ([\w$]+)\.([\w$]+)\)/g;

interface Child {
  readonly alias: string;
  readonly table: string;
  /** Alias and column of the row it hangs on. */
  readonly on: string;
}

export const fanOutCounts: TrapCheck = {
  code: 'HT208',
  name: 'fan-out-counts',
  title: 'A view counts each row once for every row of another join',
  severity: 'warning',
  traps: ['B3-06'],
  find: async ({ facts }) => {
    const found = await facts(relations);
    const known = await facts(views);
    const keys = await facts(constraints);
    return found.all.flatMap((view): Draft | readonly Draft[] => {
      const text = known.get(view.oid)?.definition ?? '';
      if (!/\bGROUP BY\b/.test(text)) return [];
      const children = manyOf(text, { found: found.all, keys });
      const [first] = children;
      const side = children.filter(({ on }) => on === first?.on);
      const counted = side.find(({ alias }) => countsOf(text, alias));
      const other = side.find(({ alias }) => alias !== counted?.alias);
      if (counted === undefined || other === undefined) return [];
      return {
        subject: relationSubject(view),
        what: `It joins ${side.map(({ table }) => table).join(', ')} side by side to one row and counts or sums ${counted.table} without DISTINCT.`,
        effect: `Each row of ${counted.table} is counted once for every row of ${other.table}: 10 of the one beside 20 of the other count as 200. The joined rows multiply, and so does the time.`,
        mend: [],
        advice: 'Group each of them by itself in a sub-select (or LATERAL), then join the results.',
      };
    });
  },
  page: {
    what: 'A view joins several one-to-many tables to the same row and groups: `users LEFT JOIN tasks … LEFT JOIN projects … GROUP BY users.id` with `count(tasks.id)`.',
    effect:
      'The joins multiply: 20 tasks, 5 projects and 100 metrics make 10,000 rows of one user, and a plain count gives thousands where there are ten. `count(DISTINCT …)` and `avg` are right, `count` and `sum` are not. One busy user took minutes.',
    mend: 'One sub-select for each table, grouped by the key, and joins of the results.',
  },
};

// Joined by a column that is not unique on its side: several rows of it hang on one of the other.
function manyOf(
  text: string,
  { found, keys }: { found: readonly Relation[]; keys: Constraints },
): readonly Child[] {
  return [...text.matchAll(JOINED)].flatMap((match): readonly Child[] => {
    const [, table = '', alias = '', left = '', leftColumn = '', right = '', rightColumn = ''] = match;
    const own = left === alias ? leftColumn : right === alias ? rightColumn : undefined;
    const on = left === alias ? `${right}.${rightColumn}` : `${left}.${leftColumn}`;
    const relation = found.find(({ schema, name }) => `${schema}.${name}` === table.replaceAll('"', ''));
    if (own === undefined || relation === undefined) return [];
    const unique = keys
      .of(relation.oid)
      .some(
        ({ kind, columns }) => (kind === 'p' || kind === 'u') && columns.length === 1 && columns[0] === own,
      );
    return unique ? [] : [{ alias, table, on }];
  });
}

function countsOf(text: string, alias: string): boolean {
  return (
    new RegExp(String.raw`\b(?:count|sum)\((?!DISTINCT)[^()]*\b${alias}\.`, 'i').test(text) ||
    new RegExp(String.raw`\bcount\(\s*CASE(?:(?!\bEND\b)[\s\S])*?\b${alias}\.`, 'i').test(text) ||
    new RegExp(String.raw`\bcount\([^()]*\) FILTER \(WHERE \([^)]*\b${alias}\.`, 'i').test(text)
  );
}

// Brackets inside the average up to three deep.
const IN_BRACKETS = String.raw`(?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*`;
const ZERO_AVERAGE = new RegExp(
  String.raw`\bCOALESCE\((?:round\()?\(?avg\(${IN_BRACKETS}\)[^,]*(?:, \d+\)[^,]*)?, (?:\(?'?0(?:\.0+)?'?\)?)(?:::[a-z ]+)?\)`,
  'i',
);

export const missingAsZero: TrapCheck = {
  code: 'HT209',
  name: 'missing-as-zero',
  title: 'A view shows an average of nothing as 0',
  severity: 'info',
  traps: ['B3-07'],
  find: async ({ facts }) => {
    const { all } = await facts(relations);
    const known = await facts(views);
    return all.flatMap((view): Draft | readonly Draft[] =>
      ZERO_AVERAGE.test(known.get(view.oid)?.definition ?? '')
        ? {
            subject: relationSubject(view),
            what: 'It writes coalesce(avg(…), 0).',
            effect:
              'Whoever has no data is shown with 0, the best possible time or the worst possible rate, and averages of it are pulled down.',
            mend: [],
            advice: 'Leave it NULL, and let the reader say "no data".',
          }
        : [],
    );
  },
  page: {
    what: '`coalesce(avg(duration_ms), 0)` in a view.',
    effect: 'No data looks like 0 ms, the fastest of all.',
    mend: 'Leave the average NULL where there is no data, and let the reader say so.',
  },
};

const DAYS =
  /\b(?:date\((?:[\w$]+\.)?([\w$]+)\)|date_trunc\('(?:day|week|month|year)'::text, (?:[\w$]+\.)?([\w$]+)\))|\((?:[\w$]+\.)?([\w$]+)\)::date/g;

export const dayOfSessionTimeZone: TrapCheck = {
  code: 'HT210',
  name: 'day-of-session-time-zone',
  title: "A view's days are those of whoever asks",
  severity: 'info',
  traps: ['B4-09'],
  find: async ({ facts }) => {
    const { all, byOid } = await facts(relations);
    const known = await facts(views);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const found = known.get(view.oid);
      const instants = new Set(
        (found?.reads ?? []).flatMap((oid) =>
          (byOid(oid)?.columns ?? [])
            .filter(({ type }) => type.startsWith('timestamp with time zone'))
            .map(({ name }) => name),
        ),
      );
      const days = [...(found?.definition ?? '').matchAll(DAYS)]
        .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
        .filter((column) => instants.has(column));
      const [column] = days;
      if (column === undefined) return [];
      const stored = view.kind === 'm';
      return {
        subject: relationSubject(view),
        what: `It cuts ${column}, an instant, into days without naming a time zone.`,
        effect: stored
          ? `The day is that of the session that refreshes: under another TimeZone rows move to another day, and a refresh by another role changes history.`
          : 'The day is that of the session that reads: two readers see different sums of one day.',
        mend: [],
        advice: `Write (${column} AT TIME ZONE 'UTC')::date, or the zone that is meant.`,
        ...(stored ? { severity: 'warning' as const } : {}),
      };
    });
  },
  page: {
    what: "`date(completed_at)`, `completed_at::date` or `date_trunc('day', completed_at)` on a timestamptz column in a view.",
    effect:
      'The cut follows the TimeZone of the session. In a materialised view it is that of the refresh: 2 + 1 rows on two days become 3 on one.',
    mend: "`(completed_at AT TIME ZONE 'UTC')::date`, or the business's own zone by name.",
  },
};

const THRESHOLD = /\bHAVING \(+count\(\*\) >=? \(?'?(\d+)'?\)?(?:::\w+)?\)/;

export const thresholdHidesRows: TrapCheck = {
  code: 'HT213',
  name: 'threshold-hides-rows',
  title: 'A summary leaves out what happened rarely',
  severity: 'info',
  traps: ['B3-10'],
  find: async ({ facts }) => {
    const { all } = await facts(relations);
    const known = await facts(views);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const least = THRESHOLD.exec(known.get(view.oid)?.definition ?? '')?.[1];
      // `> 0` and `> 1` ask whether something is there, or there twice.
      if (least === undefined || Number(least) < 2) return [];
      return {
        subject: relationSubject(view),
        what: `It keeps only groups of more than ${least} rows.`,
        effect:
          'What happened fewer times is not in it, however long it took or whatever it cost: the one query of 90 seconds is missing from the slowest.',
        mend: [],
        advice: 'Keep every group, order by the total, and let the reader filter.',
      };
    });
  },
  page: {
    what: '`HAVING count(*) > 10` in a summary of queries, costs or errors.',
    effect:
      'A single query of 90 seconds is not in the list of the slowest. Rows whose key is NULL make one group together.',
    mend: 'Leave HAVING out, rank by total time, and filter where the summary is read.',
  },
};
