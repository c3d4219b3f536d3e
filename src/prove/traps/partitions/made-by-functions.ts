// Functions that make partitions. HT507: with the session's clock. HT508: for the running period alone. HT509: under a
// lock that stops readers. HT510: by name.
import { literal } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { type Routine, routineSql, routines, routineSubject } from '../facts/functions.ts';

const ATTACHES = /\b(?:partition\s+of|attach\s+partition)\b/i;
const CREATES = /\bcreate\s+(?:unlogged\s+)?table\b[^;]*?\bpartition\s+of\b/i;
const CREATES_BY_NAME = /\bcreate\s+(?:unlogged\s+)?table\s+if\s+not\s+exists\b[^;]*?\bpartition\s+of\b/i;
// Lists and hashes have no clock in them.
const RANGE = /\bfor\s+values\s+from\b/i;
const SPEAKS_OF_UTC =
  /\bat\s+time\s+zone\b|\+00\b|\bset\s+(?:local\s+|session\s+)?time\s*zone\b|'timezone'|'utc'/i;

/** The clock as a session in its own zone reads it, cut to a period; strings are emptied. */
const RUNNING_PERIOD =
  /\bdate_trunc\s*\(\s*''\s*,\s*(?:current_date|current_timestamp|localtimestamp|now\s*\(\s*\))(?:\s*::\s*\w+)?\s*\)(?!\s*(?:::\s*\w+\s*)?[+-])/i;
const GOES_ON = /\bloop\b|\bgenerate_series\b/i;

function makers(all: readonly Routine[]): readonly Routine[] {
  return all.filter(({ runs }) => ATTACHES.test(runs.join(' ')) && /\bfor\s+values\b/i.test(runs.join(' ')));
}

export const madeInSessionZone: TrapCheck = {
  code: 'HT507',
  name: 'function-makes-partitions-in-session-zone',
  title: 'A function makes partitions whose bounds follow the caller’s TimeZone',
  severity: 'warning',
  traps: ['BX-19', 'B4-04'],
  find: async ({ facts }) =>
    makers((await facts(routines)).all).flatMap((routine) => {
      const fixed = routine.settings.some((setting) => /^timezone=/i.test(setting));
      if (fixed || SPEAKS_OF_UTC.test(routine.body) || !RANGE.test(routine.body)) return [];
      return {
        subject: routineSubject(routine),
        what: 'It makes partitions with bounds that have no time zone, and TimeZone is not fixed on it.',
        effect:
          'Called from a session of another zone the bounds lie hours beside those of the last call: rows between fail with no partition of relation found for row, or the new partition would overlap its neighbour; around midnight it makes the wrong period.',
        mend: [`ALTER ${routineSql(routine)} SET timezone = ${literal('UTC')}`],
        advice:
          "Write bounds with their offset as well: to_char(start_date, 'YYYY-MM-DD') || ' 00:00:00+00'.",
      };
    }),
  page: {
    what: "A function with `FORMAT('… PARTITION OF … FOR VALUES FROM (%L) TO (%L)', start_date, end_date)`, where the dates come from `CURRENT_DATE` or are handed in.",
    effect:
      'For a `timestamptz` key the date becomes an instant in the session’s `TimeZone`, and `CURRENT_DATE` itself is the session’s: pg_cron calls at 00:00 GMT, which under America/Sao_Paulo is still yesterday, so the old month is made again and the new one is missing. Two callers in two zones make bounds that overlap or leave a gap.',
    mend: "`ALTER FUNCTION … SET timezone = 'UTC'`, or bounds with an offset.",
  },
};

export const madeForNowOnly: TrapCheck = {
  code: 'HT508',
  name: 'function-makes-the-running-period-only',
  title: 'A function makes the partition of the running period only',
  severity: 'warning',
  traps: ['BX-20', 'B4-04', 'B3-04'],
  find: async ({ facts }) =>
    makers((await facts(routines)).all).flatMap((routine) => {
      if (!RUNNING_PERIOD.test(routine.code) || GOES_ON.test(routine.code)) return [];
      return {
        subject: routineSubject(routine),
        what: 'It makes one partition, the one of the period that is running when it is called.',
        effect:
          'Rows between the start of the period and the end of the call fail with no partition of relation found for row; when one call fails or is late, all rows until the next one do.',
        mend: [],
        advice: 'Make the periods that follow as well, months ahead, and call it every day and at start-up.',
      };
    }),
  page: {
    what: "`start_date := date_trunc('month', CURRENT_DATE)` in a function that a job calls on the first of the month.",
    effect:
      'The partition is made after the period has begun: rows from midnight to the job’s commit are refused, `no partition of relation "…" found for row`, and one failed run costs a month. The very first month has no partition until the job runs.',
    mend: 'Make several periods ahead in a loop, every day.',
  },
};

export const madeUnderLock: TrapCheck = {
  code: 'HT509',
  name: 'function-locks-the-parent',
  title: 'A function makes partitions with CREATE TABLE … PARTITION OF, which stops readers',
  severity: 'info',
  traps: ['BX-21'],
  find: async ({ facts }) =>
    makers((await facts(routines)).all)
      .filter(({ runs }) => runs.some((text) => CREATES.test(text)))
      .map((routine): Draft => ({
        subject: routineSubject(routine),
        what: 'It makes partitions with CREATE TABLE … PARTITION OF.',
        effect:
          'That takes ACCESS EXCLUSIVE on the parent: it waits for every query that runs, and every new query waits behind it.',
        mend: [],
        advice:
          'CREATE TABLE (LIKE parent INCLUDING DEFAULTS INCLUDING CONSTRAINTS) and ALTER TABLE parent ATTACH PARTITION, with a lock_timeout: that takes SHARE UPDATE EXCLUSIVE, which readers and writers do not notice.',
      })),
  page: {
    what: '`CREATE TABLE … PARTITION OF parent` in a function that a job calls.',
    effect:
      'The statement holds ACCESS EXCLUSIVE on the parent. Behind one long query it waits, and everything else waits behind it.',
    mend: '`CREATE TABLE … (LIKE parent INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`, then `ALTER TABLE parent ATTACH PARTITION`, which takes SHARE UPDATE EXCLUSIVE; `SET lock_timeout` and try again.',
  },
};

export const madeByName: TrapCheck = {
  code: 'HT510',
  name: 'function-looks-partitions-up-by-name',
  title: 'A function takes any table of a name for the partition it was to make',
  severity: 'warning',
  traps: ['BX-22'],
  find: async ({ facts }) =>
    makers((await facts(routines)).all)
      .filter(({ runs }) => runs.some((text) => CREATES_BY_NAME.test(text)))
      .map((routine): Draft => ({
        subject: routineSubject(routine),
        what: 'It makes partitions with CREATE TABLE IF NOT EXISTS … PARTITION OF.',
        effect:
          'A table of that name that is no partition, is detached, or has other bounds makes it succeed with a NOTICE (already exists, skipping), and rows still fail with no partition of relation found for row.',
        mend: [],
        advice:
          'Look the partition up by its bounds (pg_inherits and pg_get_expr(relpartbound, oid)), and let the statement fail when the name is taken.',
      })),
  page: {
    what: '`CREATE TABLE IF NOT EXISTS orders_2026_03 PARTITION OF orders …`, so that the job can run twice.',
    effect:
      'IF NOT EXISTS asks for the name alone. A detached partition, a copy, or a partition with other bounds satisfies it: `NOTICE: relation "orders_2026_03" already exists, skipping`. The job reports success and inserts still fail.',
    mend: 'Ask `pg_inherits` for a partition with these bounds, and create without IF NOT EXISTS.',
  },
};
