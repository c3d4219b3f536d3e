// What is measured of retention: whether rows leave when they should, what the archive holds, and what is stuck.
import type { AlertRule, CardLine, Metric, Sample, Watched, WatchContext } from '../../define/measure.ts';
import { label, type Model } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { type Attached, attachedTo, pointingAt } from './catalogue.ts';
import { type Hold, heldRows, holdsAmong } from './holds.ts';
import { staying, unpointed } from './rows.ts';
import { archivedUntil, type Asked, instantOf, onlineUntil, type Terms, termsOf } from './terms.ts';
import { RESTING, tallyOf, timeOf, type Unit, unitsOf } from './unit.ts';

const OVERDUE = 'holdfast_retention_overdue_seconds';
const ARCHIVE_OVERDUE = 'holdfast_retention_archive_overdue_seconds';
const STUCK = 'holdfast_retention_stuck_seconds';
const ARCHIVED_ROWS = 'holdfast_retention_archived_rows';
const ARCHIVED_BYTES = 'holdfast_retention_archived_bytes';
const DELETED = 'holdfast_retention_deleted_rows_total';
const REFERENCED = 'holdfast_retention_referenced_rows';
const HOLDS = 'holdfast_retention_holds';

const labels = ['relation'];
const metrics: readonly Metric[] = [
  {
    name: OVERDUE,
    help: 'How far the oldest row online that nothing holds is past its day.',
    type: 'gauge',
    labels,
  },
  {
    name: ARCHIVE_OVERDUE,
    help: 'How far the oldest part of the archive that nothing holds is past its day.',
    type: 'gauge',
    labels,
  },
  { name: STUCK, help: 'How long a part has been between two places.', type: 'gauge', labels },
  { name: ARCHIVED_ROWS, help: 'Rows in complete parts of the archive.', type: 'gauge', labels },
  {
    name: ARCHIVED_BYTES,
    help: 'Size of complete parts of the archive, as tables with indexes or as files.',
    type: 'gauge',
    labels,
  },
  { name: DELETED, help: 'Rows that retention deleted for good.', type: 'counter', labels },
  {
    name: REFERENCED,
    help: 'Rows that stay past their day because others point at them.',
    type: 'gauge',
    labels,
  },
  { name: HOLDS, help: 'Legal holds that name the table.', type: 'gauge', labels },
];

const DAY_S = 86_400;
/** A weekly job leaves a row up to seven days past its day: what is later than that does not leave by itself. */
const LATE_S = 8 * DAY_S;

const alerts: readonly AlertRule[] = [
  {
    name: 'HoldfastRetentionLate',
    expr: `${OVERDUE} > ${LATE_S}`,
    for: '1h',
    severity: 'ticket',
    summary: 'Rows of {{ $labels.relation }} are online past the day they had to leave.',
    description:
      'Look at the runs of the retention job of {{ $labels.relation }} in holdfast status: they fail, or do not run.',
    cases: casesOf(OVERDUE, { limit: LATE_S, atMinute: 61 }),
  },
  {
    name: 'HoldfastArchiveLate',
    expr: `${ARCHIVE_OVERDUE} > ${LATE_S}`,
    for: '1h',
    severity: 'ticket',
    summary: 'The archive of {{ $labels.relation }} holds rows past the day they had to go.',
    description: 'Look at the runs of the retention job of {{ $labels.relation }} in holdfast status.',
    cases: casesOf(ARCHIVE_OVERDUE, { limit: LATE_S, atMinute: 61 }),
  },
  {
    name: 'HoldfastRetentionStuck',
    expr: `${STUCK} > ${DAY_S}`,
    for: '15m',
    severity: 'ticket',
    summary: 'A part of {{ $labels.relation }} has been between table and archive for more than a day.',
    description:
      'Its rows are safe, and read under the name of their own table. The last error of the retention job says what is in the way: a transaction that stays open, a store that cannot be reached.',
    cases: casesOf(STUCK, { limit: DAY_S, atMinute: 16 }),
  },
];

/** The watch face of one retention. */
export function watched(model: Model, asked: Asked): Watched {
  const terms = termsOf(model, asked);
  return {
    metrics,
    alerts,
    collect: async (context) => (terms === undefined ? [] : collect(context, terms)),
    card: (samples) => (terms === undefined ? [] : card(samples, terms)),
  };
}

function casesOf(
  metric: Metric['name'],
  by: { readonly limit: number; readonly atMinute: number },
): AlertRule['cases'] {
  const series = `${metric}{relation="shop.orders"}`;
  const values = (value: number): Readonly<Record<string, string>> => ({ [series]: `${value}+0x120` });
  return [
    { series: values(by.limit + 1), atMinute: by.atMinute, fires: [{ relation: 'shop.orders' }] },
    { series: values(by.limit), atMinute: by.atMinute, fires: [] },
  ];
}

async function collect(context: WatchContext, terms: Terms): Promise<readonly Sample[]> {
  const units = unitsOf(terms, context.pieces);
  const holds = holdsAmong(terms, context.pieces);
  const tally = tallyOf(terms, context.pieces);
  const complete = units.filter((unit) => !['closing', 'closed', 'receiving', 'gone'].includes(unit.state));
  const gone = units.filter((unit) => unit.state === 'gone');
  const values: Readonly<Record<Metric['name'], number>> = {
    [OVERDUE]: await overdue(context, { terms, holds }),
    [ARCHIVE_OVERDUE]: archiveOverdue(units, { terms, holds, now: context.now }),
    [STUCK]: stuck(units, context.now),
    [ARCHIVED_ROWS]: sum(complete.map((unit) => unit.rows)),
    [ARCHIVED_BYTES]: sum(complete.map(bytesOf)),
    [DELETED]: tally.deleted + sum(gone.map((unit) => unit.rows)),
    [REFERENCED]: tally.referenced,
    [HOLDS]: holds.length,
  };
  const relation = label(terms.of);
  return metrics.map(({ name }) => ({ metric: name, labels: { relation }, value: values[name] ?? 0 }));
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce((so: number, value) => so + (value ?? 0), 0);
}

function bytesOf(unit: Unit): number | undefined {
  return unit.state === 'filed' || unit.state === 'removing' ? unit.receipt?.bytes : unit.bytes;
}

interface Due {
  readonly terms: Terms;
  readonly holds: readonly Hold[];
}

async function overdue(context: WatchContext, due: Due): Promise<number> {
  const { terms } = due;
  const until = onlineUntil(terms, context.now);
  if (terms.byRow && !terms.partitioned) {
    const oldest = await oldestDue(context, { ...due, until });
    return oldest === null ? 0 : secondsBetween(oldest, until);
  }
  const partitions = await attachedTo(context.query, terms.of, terms.type);
  const late = partitions.filter(
    (one) => !one.isDefault && one.toMs <= until.getTime() && !isMet(due.holds, one.fromMs, one.toMs),
  );
  for (const one of late) {
    if (!(await isEmpty(context, one))) return secondsBetween(new Date(one.toMs), until);
  }
  return 0;
}

const EMPTY_SQL = `
  SELECT pg_catalog.pg_relation_size(pg_catalog.to_regclass($1)) = 0 AS empty`;

/** Whether a partition has never had a row; asked of its size, which needs no right on it. One with partitions may have. */
async function isEmpty({ query }: WatchContext, one: Attached): Promise<boolean> {
  if (one.nested) return false;
  const [row] = await query<{ empty: boolean | null }>(EMPTY_SQL, [qualified(one)]);
  return row?.empty === true;
}

async function oldestDue(context: WatchContext, due: Due & { readonly until: Date }): Promise<Date | null> {
  const { terms, holds, until } = due;
  const { query } = context;
  // Row security would hide rows from whoever serves the metrics, and an overdue row with them.
  await query('SET LOCAL row_security = off');
  const by = `t.${ident(terms.by)}`;
  const instant = terms.type === 'timestamptz' ? by : `${by}::timestamp AT TIME ZONE 'UTC'`;
  const held = heldRows(holds, { terms, values: [instantOf(terms, until)] });
  const free = unpointed(await pointingAt(query, terms.of));
  const [row] = await query<{ ms: number }>(
    `SELECT extract(epoch FROM ${instant})::float8 * 1000 AS ms FROM ${qualified(terms.of)} t
     WHERE ${by} < $1::${terms.type} AND NOT ${held.sql} AND ${free} ORDER BY ${by} LIMIT 1`,
    held.values,
  );
  return row === undefined ? null : new Date(row.ms);
}

function archiveOverdue(units: readonly Unit[], due: Due & { readonly now: Date }): number {
  const until = archivedUntil(due.terms, due.now);
  if (until === null) return 0;
  const late = units.filter(
    (unit) =>
      unit.state !== 'gone' && unit.to <= until && !isMet(due.holds, timeOf(unit.from), unit.to.getTime()),
  );
  return Math.max(0, ...late.map((unit) => secondsBetween(unit.to, until)));
}

function stuck(units: readonly Unit[], now: Date): number {
  const between = units.filter((unit) => !RESTING.has(unit.state));
  return Math.max(0, ...between.map((unit) => secondsBetween(unit.since, now)));
}

function isMet(holds: readonly Hold[], fromMs: number, toMs: number): boolean {
  return holds.some((hold) => timeOf(hold.from) < toMs && (hold.to === null || hold.to.getTime() > fromMs));
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, (to.getTime() - from.getTime()) / 1000);
}

function card(samples: readonly Sample[], terms: Terms): readonly CardLine[] {
  const value = (metric: Metric['name']): number => samples.find((one) => one.metric === metric)?.value ?? 0;
  const subject = label(terms.of);
  const days = (seconds: number): string => `${Math.ceil(seconds / DAY_S)} days`;
  const exact = terms.byRow ? 'to the day' : `by whole partitions (up to a ${terms.every} late)`;
  const online = [
    `${terms.online.text} online, ${exact}`,
    ...(value(OVERDUE) > LATE_S ? [`oldest row ${days(value(OVERDUE))} past its day`] : []),
    ...(value(STUCK) > DAY_S ? [`a part is stuck for ${days(value(STUCK))}`] : []),
    ...(value(REFERENCED) > 0
      ? [
          `${staying(value(REFERENCED))} because other rows point at ${value(REFERENCED) === 1 ? 'it' : 'them'}`,
        ]
      : []),
    ...(value(HOLDS) > 0 ? [`${value(HOLDS)} legal ${value(HOLDS) === 1 ? 'hold' : 'holds'}`] : []),
  ];
  const lines: CardLine[] = [
    {
      topic: 'retention',
      subject,
      text: online.join('; '),
      late: value(OVERDUE) > LATE_S || value(STUCK) > DAY_S,
    },
  ];
  if (terms.archive === undefined) return lines;
  const stays = terms.archive.stays === undefined ? 'kept for ever' : `for ${terms.archive.stays.text}`;
  const where = terms.archive.files?.shown ?? label(terms.archive.of);
  const behind = value(ARCHIVE_OVERDUE) > LATE_S;
  const text = `${value(ARCHIVED_ROWS)} rows in ${where}, ${stays}${behind ? `; ${days(value(ARCHIVE_OVERDUE))} behind` : ''}`;
  return [...lines, { topic: 'archive', subject, text, late: behind }];
}
