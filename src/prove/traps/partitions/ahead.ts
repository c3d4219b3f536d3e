// HT501: partitions that end before the rows do. HT502: a DEFAULT partition. HT503: a gap between partitions.
import { qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations, type Relations } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';
import { makePartition, nextAfter, periodOf, type Stretch } from './new-partition.ts';
import { ranged, type Ranged, shown } from './ranges.ts';

const NONE_FOUND = (of: Ranged): string => `no partition of relation "${of.table.name}" found for row`;

export const partitionsRunOut: TrapCheck = {
  code: 'HT501',
  name: 'partitions-run-out',
  title: 'A table partitioned by time has no partition for now, or none for the period that comes next',
  severity: 'error',
  traps: ['BX-20', 'B1-03', 'B3-04', 'B4-04'],
  find: async ({ facts, now }) => {
    const all = await facts(relations);
    const { holders } = await facts(rights);
    return (await facts(ranged)).flatMap((of) => {
      if (of.fallback !== undefined || all.root(of.table).oid !== of.table.oid) return [];
      // What was written long ago moves into an archive whole, with its partitions.
      const { schema, name, oid } = of.table;
      if (/archiv/.test(`${schema}.${name}`) && holders(oid, 'insert').length === 0) return [];
      return runsOut(of, all, now.getTime());
    });
  },
  page: {
    what: 'A table `PARTITION BY RANGE (created_at)` whose partitions were made once, for a few months, or are made on the first day of the month they are for.',
    effect:
      'As soon as the clock passes the last bound, every INSERT fails: `no partition of relation "audit_log" found for row`. A job that makes the running month at midnight loses every row between midnight and its commit.',
    mend: 'Make the partition of the running period and of those that follow, with bounds in UTC, and let something make new ones every day, months ahead. `CREATE TABLE … (LIKE parent …)` and `ALTER TABLE … ATTACH PARTITION` block no reader; `CREATE TABLE … PARTITION OF` does.',
  },
};

/** Two months: what runs for years is not about to end. */
const SOON_MS = 62 * 86_400_000;

function runsOut(of: Ranged, all: Relations, nowMs: number): readonly Draft[] {
  const { table, parts } = of;
  const covering = parts.find(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  if (covering === undefined) {
    const earlier = parts.filter(({ toMs }) => toMs <= nowMs).at(-1);
    const until =
      earlier === undefined ? 'It has none for the past either' : `They end at ${shown(earlier.toMs)}`;
    const later = parts.find(({ fromMs }) => fromMs > nowMs);
    const missing = missingAround({ earlier, later, nowMs });
    return [
      {
        subject: relationSubject(table),
        what: `No partition of ${table.schema}.${table.name} holds rows of now. ${until}.`,
        effect: `Every INSERT of now fails: ${NONE_FOUND(of)}.`,
        mend: madeAll(of, missing, all),
        advice: 'Let a job make partitions months ahead every day and say when fewer than a month is left.',
      },
    ];
  }
  const nextMs = furthest(parts, covering.toMs);
  if (nextMs > covering.toMs || nextMs - nowMs > SOON_MS) return [];
  return [
    {
      subject: relationSubject(table),
      severity: 'warning',
      what: `The partition of now, ${covering.relation.name}, is the last: it ends at ${shown(nextMs)}.`,
      effect: `From ${shown(nextMs)} on every INSERT fails: ${NONE_FOUND(of)}.`,
      mend: madeAll(of, [{ fromMs: nextMs, toMs: nextAfter(covering, nextMs) }], all),
      advice: 'Let a job make partitions months ahead every day and say when fewer than a month is left.',
    },
  ];
}

/** More periods than this are one partition: nobody waits for rows of each of them any more. */
const MOST_PERIODS = 24;

/** From where the partitions end to where they go on, or to the end of the period after this one: no gap is left. */
function missingAround(around: {
  readonly earlier: Stretch | undefined;
  readonly later: Stretch | undefined;
  readonly nowMs: number;
}): readonly Stretch[] {
  const { earlier, later, nowMs } = around;
  const running = periodOf(earlier, nowMs);
  const fromMs = earlier?.toMs ?? running.fromMs;
  const endMs = later?.fromMs ?? nextAfter(earlier, running.toMs);
  const periods: Stretch[] = [];
  for (let at = fromMs; at < endMs && periods.length <= MOST_PERIODS;) {
    const toMs = Math.min(nextAfter(earlier, at), endMs);
    periods.push({ fromMs: at, toMs });
    at = toMs;
  }
  if (periods.length <= MOST_PERIODS) return periods;
  const turns = [fromMs, running.fromMs, Math.min(running.toMs, endMs), endMs];
  return turns
    .slice(1)
    .map((toMs, at) => ({ fromMs: turns[at] ?? toMs, toMs }))
    .filter((stretch) => stretch.fromMs < stretch.toMs);
}

function furthest(parts: Ranged['parts'], fromMs: number): number {
  return parts.reduce((end, part) => (part.fromMs <= end && part.toMs > end ? part.toMs : end), fromMs);
}

function madeAll(of: Ranged, stretches: readonly Stretch[], all: Relations): readonly string[] {
  return stretches.flatMap((stretch) => makePartition(of, stretch, all));
}

export const defaultPartition: TrapCheck = {
  code: 'HT502',
  name: 'default-partition',
  title: 'A table partitioned by time has a DEFAULT partition',
  severity: 'warning',
  traps: ['BX-20'],
  find: async ({ facts }) =>
    (await facts(ranged)).flatMap(({ table, fallback, parts }) => {
      if (fallback === undefined || parts.length === 0) return [];
      return {
        subject: relationSubject(fallback),
        what: `It is the DEFAULT partition of ${table.schema}.${table.name} and takes every row that no other partition is for.`,
        effect: `Once a row lies in it, making the partition of that row's period fails: updated partition constraint for default partition "${fallback.name}" would be violated by some row. Each new partition scans it under lock, and DETACH … CONCURRENTLY is refused.`,
        mend: [],
        advice: `Make partitions ahead instead. Then move its rows: ALTER TABLE ${qualified(table)} DETACH PARTITION ${qualified(fallback)}, and INSERT INTO ${qualified(table)} SELECT * FROM ${qualified(fallback)}.`,
      };
    }),
  page: {
    what: 'A DEFAULT partition, so that no row is ever refused.',
    effect:
      'It hides that partitions have run out. When a row has fallen into it, the partition that row belongs to can no longer be made: `updated partition constraint for default partition "orders_default" would be violated by some row`. Each new partition reads the whole DEFAULT partition while it holds an ACCESS EXCLUSIVE lock on it, and `DETACH PARTITION … CONCURRENTLY` is refused with `cannot detach partitions concurrently when a default partition exists`.',
    mend: 'Make partitions months ahead, detach the DEFAULT partition, insert its rows through the parent, and drop it.',
  },
};

export const partitionGap: TrapCheck = {
  code: 'HT503',
  name: 'partition-gap',
  title: 'There is a gap between the partitions of a table',
  severity: 'warning',
  traps: ['BX-19', 'BX-20'],
  find: async ({ facts, now }) => {
    const all = await facts(relations);
    return (await facts(ranged)).flatMap((of) => {
      if (of.fallback !== undefined) return [];
      return of.parts.slice(1).flatMap((part, at): readonly Draft[] => {
        const before = of.parts[at];
        if (before === undefined || part.fromMs <= before.toMs) return [];
        const gap = { fromMs: before.toMs, toMs: part.fromMs };
        // What holds now is said by the check for partitions that run out.
        if (gap.fromMs <= now.getTime() && now.getTime() < gap.toMs) return [];
        return [
          {
            subject: relationSubject(part.relation),
            severity: gap.toMs > now.getTime() ? 'error' : 'warning',
            what: `No partition of ${of.table.schema}.${of.table.name} holds rows from ${shown(gap.fromMs)} to ${shown(gap.toMs)}, between ${before.relation.name} and ${part.relation.name}.`,
            effect: `An INSERT of that time fails: ${NONE_FOUND(of)}.`,
            mend: makePartition(of, gap, all),
            advice: 'Where the partition was taken away on purpose, nothing is to be done.',
          },
        ];
      });
    });
  },
  page: {
    what: 'Two neighbouring partitions whose bounds do not meet: a month that was forgotten, or bounds written in sessions of two time zones.',
    effect: 'A row of the time between them is refused: `no partition of relation "orders" found for row`.',
    mend: 'Make a partition for exactly the time between.',
  },
};
