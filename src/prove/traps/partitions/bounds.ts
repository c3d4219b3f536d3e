// HT504: bounds of another time zone. HT505: a name that says another time. HT506: a detach that was cut off.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations, type Relation, type Relations } from '../facts/relations.ts';
import { DATED, datedName, namedInstant } from './new-partition.ts';
import { type Part, ranged, type Ranged, shown } from './ranges.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const boundsOfTimeZone: TrapCheck = {
  code: 'HT504',
  name: 'bounds-of-a-time-zone',
  title: 'Bounds of partitions are not midnight UTC: the session that made them had another TimeZone',
  severity: 'warning',
  traps: ['BX-19'],
  find: async ({ facts }) =>
    (await facts(ranged)).flatMap((of): readonly Draft[] => {
      if (of.type !== 'timestamp with time zone') return [];
      const daily = of.parts.filter(({ fromMs, toMs }) => toMs - fromMs >= 20 * HOUR_MS);
      const edges = new Set(daily.flatMap(({ fromMs, toMs }) => [fromMs, toMs]).filter(Number.isFinite));
      const off = [...edges].filter((ms) => ms % DAY_MS !== 0);
      return off.length === 0 ? [] : [ofTimeZone(of, edges.size, off)];
    }),
  page: {
    what: "`FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')` on a `timestamptz` column, run in a session whose `TimeZone` is not UTC.",
    effect:
      'PostgreSQL reads the text in the session’s time zone: under America/Sao_Paulo the bound is 03:00 UTC. The next partition, made in a session of UTC, fails with `partition "pm_2027_03" would overlap partition "pm_2027_02"`, or leaves a gap whose rows are refused. Daylight saving moves the bounds twice a year.',
    mend: "Write bounds with their offset (`'2026-03-01 00:00:00+00'`), or run `SET LOCAL TimeZone = 'UTC'` where they are made. Existing partitions keep their bounds: make the one that follows begin where the last one ends.",
  },
};

function ofTimeZone(of: Ranged, all: number, off: readonly number[]): Draft {
  const { table } = of;
  const [first = 0] = off;
  const mixed = off.length < all;
  return {
    subject: relationSubject(table),
    severity: mixed ? 'error' : 'warning',
    what: `${off.length} of ${all} bounds of its partitions are not midnight UTC, such as ${shown(first)}.`,
    effect: mixed
      ? `Bounds of two time zones stand side by side: where they do not meet, rows fail with no partition of relation "${table.name}" found for row, and the next partition may overlap its neighbour.`
      : 'A partition made in a session of UTC would overlap partition or gap between it and its neighbour; months are cut at an hour that nobody asks for.',
    mend: [],
    advice: `Write bounds with their offset ('… 00:00:00+00'), or fix the creator's zone: SET timezone = 'UTC' on the function or role that makes them; the next partition begins where the last one ends.`,
  };
}

export const namedUnlikeBound: TrapCheck = {
  code: 'HT505',
  name: 'partition-named-unlike-its-bound',
  title: 'A partition’s name says another time than its bound',
  severity: 'warning',
  traps: ['B4-03'],
  find: async ({ facts }) => {
    const all = await facts(relations);
    return (await facts(ranged)).flatMap(({ table, parts }) =>
      parts.flatMap((part) => misnamed(table, part, all)),
    );
  },
  page: {
    what: 'A partition `agent_outputs_2024_01` that holds January 2025: a slip in a hand-written ladder.',
    effect:
      'Whoever drops or archives by name takes the wrong month. Next year the generator asks for a name that is taken, or makes the right name and is refused: `partition "agent_outputs_2025_01" would overlap partition "agent_outputs_2024_01"`.',
    mend: 'Rename it: `ALTER TABLE … RENAME TO …`. Derive names from bounds, and look partitions up by bound.',
  },
};

function misnamed(table: Relation, part: Part, { byName }: Relations): readonly Draft[] {
  const { relation, fromMs } = part;
  const dated = DATED.exec(relation.name);
  if (dated === null || !Number.isFinite(fromMs)) return [];
  const said = spoken(dated);
  if ([fromMs, namedInstant(part)].some((ms) => new Date(ms).toISOString().startsWith(said))) return [];
  const right = datedName(dated, namedInstant(part));
  const free = byName({ schema: relation.schema, name: right }) === undefined;
  return [
    {
      subject: relationSubject(relation),
      what: `Its name says ${said} and it holds rows of ${table.schema}.${table.name} from ${shown(fromMs)} to ${shown(part.toMs)}.`,
      effect: `Whoever archives or drops by name takes the wrong rows, and making ${right} fails: it would overlap partition "${relation.name}".`,
      mend: free ? [`ALTER TABLE ${qualified(relation)} RENAME TO ${ident(right)}`] : [],
      advice: free
        ? 'Derive the names of new partitions from their bounds.'
        : `${right} is another table's name: rename that one first.`,
    },
  ];
}

function spoken(dated: RegExpExecArray): string {
  const { year = '', month = '', day } = dated.groups ?? {};
  return [year, month, ...(day === undefined ? [] : [day])].join('-');
}

const PENDING_SQL = `
  SELECT i.inhrelid AS oid, i.inhparent AS parent FROM pg_catalog.pg_inherits i WHERE i.inhdetachpending`;

export const detachPending: TrapCheck = {
  code: 'HT506',
  name: 'detach-pending',
  title: 'A partition is half detached',
  severity: 'error',
  traps: ['BX-24'],
  find: async ({ facts, query }) => {
    const { byOid } = await facts(relations);
    const rows = await query<{ oid: number; parent: number }>(PENDING_SQL);
    return rows.flatMap(({ oid, parent }) => {
      const [part, table] = [byOid(oid), byOid(parent)];
      if (part === undefined || table === undefined) return [];
      return {
        subject: relationSubject(part),
        what: `DETACH PARTITION … CONCURRENTLY of it from ${table.schema}.${table.name} was cut off.`,
        effect: `Its rows are seen by nobody who reads ${table.name}, new ones of its range fail with no partition of relation "${table.name}" found for row, and no other partition can be detached concurrently: partition "${part.name}" already pending detach.`,
        mend: [`ALTER TABLE ${qualified(table)} DETACH PARTITION ${qualified(part)} FINALIZE`],
        advice: 'FINALIZE ends it. To have it back, attach it again afterwards with the bounds it had.',
      };
    });
  },
  page: {
    what: '`ALTER TABLE … DETACH PARTITION … CONCURRENTLY` was ended between its two transactions: a timeout, a cancelled job, a restart.',
    effect:
      'The partition is marked as leaving. Queries on the parent no longer see it, rows of its range are refused, and a second concurrent detach fails: `partition "…" already pending detach in partitioned table "…"`.',
    mend: '`ALTER TABLE parent DETACH PARTITION part FINALIZE`.',
  },
};
