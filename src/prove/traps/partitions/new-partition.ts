// The statements that make a partition ahead: a table like its parent, attached with bounds in UTC.
import { literal, qualified } from '../../../sql.ts';
import type { Relations } from '../facts/relations.ts';
import { boundOf, type Part, type Ranged } from './ranges.ts';

const DAY_MS = 86_400_000;

/** A stretch of time, its end not in it. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When a partition from `fromMs` on ends: as long as the newest is, or a month where that is open or not there. */
export function nextAfter(newest: Stretch | undefined, fromMs: number): number {
  const lengthMs = newest === undefined ? Infinity : newest.toMs - newest.fromMs;
  if (newest === undefined || !Number.isFinite(lengthMs)) return shiftMonths(fromMs, 1);
  const months = wholeMonths(newest);
  return months === undefined ? fromMs + lengthMs : shiftMonths(fromMs, months);
}

/** Where the period that holds an instant begins, counted from the newest partition's end. */
export function periodOf(newest: Stretch | undefined, atMs: number): Stretch {
  const at = new Date(atMs);
  let fromMs = newest?.toMs ?? Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1);
  if (fromMs > atMs) return { fromMs, toMs: nextAfter(newest, fromMs) };
  for (let toMs = nextAfter(newest, fromMs); ; toMs = nextAfter(newest, fromMs)) {
    if (toMs > atMs || toMs <= fromMs) return { fromMs, toMs };
    fromMs = toMs;
  }
}

function wholeMonths({ fromMs, toMs }: Stretch): number | undefined {
  const from = new Date(fromMs);
  const count = Math.round((toMs - fromMs) / (30.4 * DAY_MS));
  return count > 0 && from.getUTCDate() <= 28 && shiftMonths(fromMs, count) === toMs ? count : undefined;
}

function shiftMonths(ms: number, count: number): number {
  const at = new Date(ms);
  return at.setUTCMonth(at.getUTCMonth() + count);
}

/**
 * Statements that make the partition and attach it; none where its siblings are partitioned themselves, since how is not
 * to be guessed. ATTACH takes SHARE UPDATE EXCLUSIVE on the parent, where PARTITION OF stops every reader.
 */
export function makePartition(of: Ranged, stretch: Stretch, { byName }: Relations): readonly string[] {
  const { table, parts, type } = of;
  const newest = parts.at(-1)?.relation;
  if (newest?.kind === 'p') return [];
  const schema = newest?.schema ?? table.schema;
  const name = freeName(nameLike(of, stretch), (wanted) => byName({ schema, name: wanted }) !== undefined);
  const [from, to] = [stretch.fromMs, stretch.toMs].map((ms) => literal(boundOf(ms, type)));
  const part = qualified({ schema, name });
  return [
    `CREATE TABLE ${part} (LIKE ${qualified(table)} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)`,
    ...(table.rowSecurity ? [`ALTER TABLE ${part} ENABLE ROW LEVEL SECURITY`] : []),
    ...(table.forced ? [`ALTER TABLE ${part} FORCE ROW LEVEL SECURITY`] : []),
    `ALTER TABLE ${qualified(table)} ATTACH PARTITION ${part} FOR VALUES FROM (${from}) TO (${to})`,
  ];
}

/** What a partition's name says of its time: `orders_2026_03`, `orders_y2026m03`, `orders_20260305`. */
export const DATED =
  /^(?<head>.*?y?)(?<year>(?:19|20)\d\d)(?<mid>[_m]?)(?<month>\d\d)(?:(?<last>[_d]?)(?<day>\d\d))?$/;

/** The name a partition has by its time, in the style of another. */
export function datedName(like: RegExpExecArray, ms: number): string {
  const { head = '', mid = '', last = '', day } = like.groups ?? {};
  const iso = new Date(ms).toISOString();
  const ending = day === undefined ? '' : `${last}${iso.slice(8, 10)}`;
  return `${head}${iso.slice(0, 4)}${mid}${iso.slice(5, 7)}${ending}`;
}

/** Bounds of another time zone begin on the evening before or after midnight UTC: the day they are about. */
export function namedInstant({ fromMs }: Pick<Part, 'fromMs'>): number {
  return fromMs + 14 * 3_600_000;
}

function nameLike({ table, parts }: Ranged, { fromMs, toMs }: Stretch): string {
  const like = DATED.exec(parts.at(-1)?.relation.name ?? '');
  // A name that says less than when it begins would be another partition's too.
  const finest = like?.groups?.['day'] === undefined ? 27 * DAY_MS : DAY_MS;
  if (like !== null && toMs - fromMs >= finest) return datedName(like, namedInstant({ fromMs }));
  const iso = new Date(fromMs).toISOString();
  const ending = (toMs - fromMs < 27 * DAY_MS ? iso.slice(0, 10) : iso.slice(0, 7)).replaceAll('-', '_');
  const hour = toMs - fromMs < DAY_MS ? `_${iso.slice(11, 16).replace(':', '')}` : '';
  return `${table.name.slice(0, 40)}_${ending}${hour}`;
}

function freeName(wanted: string, taken: (name: string) => boolean): string {
  let name = wanted.slice(0, 58);
  for (let attempt = 2; taken(name); attempt += 1) name = `${wanted.slice(0, 58)}_${attempt}`;
  return name;
}
