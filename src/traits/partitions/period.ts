// Calendar periods in UTC and the gaps that existing partitions leave in them; pure arithmetic on milliseconds.
import type { RangeType } from './build.ts';
import type { Period } from './index.ts';

/** A half-open range of instants, in milliseconds since 1970 UTC; infinite where a bound is MINVALUE or MAXVALUE. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

const DAY_MS = 86_400_000;
const MONTH_MS = 31 * DAY_MS;
const SHORTEST_DAYS: Readonly<Record<Period, number>> = { day: 1, week: 7, month: 28, year: 365 };
const MONDAY_1970_01_05_MS = 4 * DAY_MS;

/** The start of the period an instant lies in. */
export function startOf(period: Period, instantMs: number): number {
  const date = new Date(instantMs);
  if (period === 'year') return Date.UTC(date.getUTCFullYear(), 0);
  if (period === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  if (period === 'day') return Math.floor(instantMs / DAY_MS) * DAY_MS;
  const weeks = Math.floor((instantMs - MONDAY_1970_01_05_MS) / (7 * DAY_MS));
  return MONDAY_1970_01_05_MS + weeks * 7 * DAY_MS;
}

/** The start of the period `count` after (or, negative, before) the one that starts at `startMs`. */
export function shift(period: Period, startMs: number, count: number): number {
  const date = new Date(startMs);
  if (period === 'year') return Date.UTC(date.getUTCFullYear() + count, 0);
  if (period === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count);
  return startMs + count * (period === 'week' ? 7 : 1) * DAY_MS;
}

/** The periods from the one `fromMs` lies in to `ahead` after the one `nowMs` lies in, without a gap between them. */
export function periods(
  period: Period,
  span: { readonly fromMs: number; readonly nowMs: number; readonly ahead: number },
): Range[] {
  const last = shift(period, startOf(period, span.nowMs), span.ahead);
  const wanted: Range[] = [];
  for (let start = startOf(period, span.fromMs); start <= last; start = shift(period, start, 1)) {
    wanted.push({ fromMs: start, toMs: shift(period, start, 1) });
  }
  return wanted;
}

/**
 * Room ahead that is never used up while the keeper does its work, in milliseconds: a month, or where the periods ahead
 * are shorter than that together, all of them but a day. Less of it is a reason to look.
 */
export function leastRoomMs(period: Period, ahead: number): number {
  const shortestMs = ahead * SHORTEST_DAYS[period] * DAY_MS;
  return Math.min(MONTH_MS, Math.max(shortestMs - DAY_MS, shortestMs / 2));
}

/** What of each wanted range no existing one covers, in order; a range that is cut in the middle gives two. */
export function gaps(wanted: readonly Range[], existing: readonly Range[]): Range[] {
  const sorted = [...existing].sort((left, right) => left.fromMs - right.fromMs);
  return wanted.flatMap((range) => {
    const free: Range[] = [];
    let { fromMs } = range;
    for (const taken of sorted) {
      if (taken.toMs <= fromMs || taken.fromMs >= range.toMs) continue;
      if (taken.fromMs > fromMs) free.push({ fromMs, toMs: taken.fromMs });
      fromMs = Math.max(fromMs, taken.toMs);
    }
    if (fromMs < range.toMs) free.push({ fromMs, toMs: range.toMs });
    return free;
  });
}

/** The ranges between the first and the last of these that none of them covers, in order. */
export function holes(existing: readonly Range[]): Range[] {
  if (existing.length === 0) return [];
  const fromMs = Math.min(...existing.map((range) => range.fromMs));
  const toMs = Math.max(...existing.map((range) => range.toMs));
  return gaps([{ fromMs, toMs }], existing);
}

/** What a partition's name ends in: `y2026`, `y2026m11`, `y2026w47` (ISO week), `y2026m11d21`. */
export function suffix(period: Period, startMs: number): string {
  const date = new Date(startMs);
  const year = `y${String(date.getUTCFullYear()).padStart(4, '0')}`;
  const month = `m${two(date.getUTCMonth() + 1)}`;
  if (period === 'year') return year;
  if (period === 'month') return `${year}${month}`;
  if (period === 'day') return `${year}${month}d${two(date.getUTCDate())}`;
  // ISO 8601: the week belongs to the year its Thursday lies in.
  const thursday = new Date(startOf('week', startMs) + 3 * DAY_MS);
  const first = Date.UTC(thursday.getUTCFullYear(), 0);
  const week = 1 + Math.floor((thursday.getTime() - first) / (7 * DAY_MS));
  return `y${String(thursday.getUTCFullYear()).padStart(4, '0')}w${two(week)}`;
}

/**
 * A bound as SQL text that means one instant in every session: with its zone for `timestamptz`; the other types have
 * none, and their bounds are the wall clock of UTC. ISO order is read alike under every DateStyle.
 */
export function boundText(ms: number, type: RangeType): string {
  const wholeMs = Math.floor(ms);
  const iso = new Date(wholeMs).toISOString();
  const day = iso.slice(0, 10);
  if (type === 'date') return day;
  // A bound that exists may lie between two milliseconds; PostgreSQL counts microseconds.
  const microseconds = String(Math.round((ms - wholeMs) * 1000)).padStart(3, '0');
  const fraction = `${iso.slice(20, 23)}${microseconds}`.replace(/0+$/, '');
  const time = `${iso.slice(11, 19)}${fraction === '' ? '' : `.${fraction}`}`;
  return type === 'timestamptz' ? `${day} ${time}+00` : `${day} ${time}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
