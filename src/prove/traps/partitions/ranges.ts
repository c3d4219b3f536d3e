// Tables that are partitioned by range of one column of time, and what their partitions cover.
import type { Fact } from '../check.ts';
import { grouped } from '../facts/grouped.ts';
import { relations, type Relation } from '../facts/relations.ts';

/** A partition of such a table. An open end is an infinite number; a DEFAULT partition has no ends. */
export interface Part {
  readonly relation: Relation;
  readonly fromMs: number;
  readonly toMs: number;
  /** It was asked to leave with DETACH … CONCURRENTLY and that was cut off. */
  readonly leaving: boolean;
}

/** A table partitioned by range of one column of time. */
export interface Ranged {
  readonly table: Relation;
  readonly column: string;
  readonly notNull: boolean;
  readonly type: 'timestamp with time zone' | 'timestamp without time zone' | 'date';
  /** In order of time, without those that leave. */
  readonly parts: readonly Part[];
  readonly fallback: Relation | undefined;
}

interface TableRow {
  readonly oid: number;
  readonly column: string;
  readonly type: Ranged['type'];
  readonly notNull: boolean;
}

interface PartRow {
  readonly parent: number;
  readonly oid: number;
  readonly bounds: string | null;
  readonly leaving: boolean;
}

const TABLES_SQL = `
  SELECT p.partrelid AS oid, a.attname AS column, pg_catalog.format_type(a.atttypid, NULL) AS type,
         a.attnotnull AS "notNull"
  FROM pg_catalog.pg_partitioned_table p
  JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
  WHERE p.partstrat = 'r' AND p.partnatts = 1
    AND a.atttypid IN ('pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype,
                       'pg_catalog.date'::pg_catalog.regtype)`;

const PARTS_SQL = `
  SELECT i.inhparent AS parent, c.oid, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bounds,
         i.inhdetachpending AS leaving
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f')`;

/** Every table partitioned by range of one column of time. */
export const ranged: Fact<readonly Ranged[]> = {
  name: 'ranged',
  read: async ({ query, facts }) => {
    const { byOid } = await facts(relations);
    const parts = grouped(await query<PartRow>(PARTS_SQL), ({ parent }) => parent);
    return (await query<TableRow>(TABLES_SQL)).flatMap(({ oid, column, type, notNull }) => {
      const table = byOid(oid);
      if (table === undefined) return [];
      const children = (parts.get(oid) ?? []).flatMap((row) => {
        const relation = byOid(row.oid);
        return relation === undefined ? [] : { row, relation };
      });
      const fallback = children.find(({ row }) => row.bounds === 'DEFAULT')?.relation;
      const covering = children
        .filter(({ row }) => row.bounds !== 'DEFAULT' && !row.leaving)
        .map(({ row, relation }) => ({ relation, leaving: row.leaving, ...endsOf(row.bounds ?? '') }))
        .toSorted((one, other) => one.fromMs - other.fromMs);
      return { table, column, type, notNull, parts: covering, fallback };
    });
  },
};

// The session's time zone is UTC and its dates are ISO, so that an instant reads '2026-03-01 00:00:00+00'.
const ENDS = /FROM \((MINVALUE|'[^']*')\) TO \((MAXVALUE|'[^']*')\)/;

function endsOf(bounds: string): { fromMs: number; toMs: number } {
  const [, from = 'MINVALUE', to = 'MAXVALUE'] = ENDS.exec(bounds) ?? [];
  return { fromMs: instant(from, -Infinity), toMs: instant(to, Infinity) };
}

const INSTANT = /^'(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.\d+)?)?(?:\+00)?( BC)?'$/;

function instant(text: string, open: number): number {
  const found = INSTANT.exec(text);
  if (found === null) return open;
  const [, year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found.map(Number);
  const at = new Date(0);
  // Date.UTC takes years below 100 for those of the last century.
  at.setUTCFullYear(found[7] === undefined ? year : 1 - year, month - 1, day);
  at.setUTCHours(hour || 0, minute || 0, second || 0);
  return Number.isNaN(at.getTime()) ? open : at.getTime();
}

/** An instant as a bound of the table's type, in UTC. */
export function boundOf(ms: number, type: Ranged['type']): string {
  const iso = new Date(ms).toISOString();
  if (type === 'date') return iso.slice(0, 10);
  const text = iso.slice(0, 19).replace('T', ' ');
  return type === 'timestamp with time zone' ? `${text}+00` : text;
}

/** An instant for people: the day alone where it is midnight UTC. */
export function shown(ms: number): string {
  if (ms === -Infinity) return 'the beginning';
  if (ms === Infinity) return 'the end of time';
  const iso = new Date(ms).toISOString();
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}
