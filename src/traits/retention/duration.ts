// Lengths of time as people write them, counted on the calendar of UTC.
import { HoldfastError } from '../../error.ts';

const DAY_MS = 86_400_000;

/** `'90 days'`, `'2 years'`, `'6 months'`, `'1 week'`: a whole number from 1 and a calendar unit. */
export type Duration = string;

/** A length of time, as parsed. */
export interface Length {
  readonly count: number;
  readonly unit: 'day' | 'week' | 'month' | 'year';
  /** As the user wrote it. */
  readonly text: string;
}

const FORM = /^([1-9][0-9]{0,4}) (day|week|month|year)s?$/;

/**
 * Reads a length of time, strictly: no fraction, no sign, no abbreviation, no two units.
 * @param text as {@link Duration} says
 * @param subject what it is said of, for the error
 * @throws HoldfastError HF_RETENTION_PERIOD for anything else
 */
export function lengthOf(text: Duration, subject: string): Length {
  const [, count, unit] = FORM.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    return { count: Number(count), unit: unit as Length['unit'], text };
  }
  throw new HoldfastError({
    code: 'HF_RETENTION_PERIOD',
    subject,
    what: `${JSON.stringify(text)} is no length of time.`,
    fix: "Write a whole number from 1 and a unit: '90 days', '26 weeks', '6 months', '2 years'.",
  });
}

/**
 * The instant so much earlier. Days and weeks are of 24 hours; months and years are those of the calendar in UTC, and a
 * day that the month does not have is its last: a month before 31 March is 28 or 29 February.
 */
export function before(instant: Date, length: Length): Date {
  if (length.unit === 'day' || length.unit === 'week') {
    return new Date(instant.getTime() - length.count * (length.unit === 'week' ? 7 : 1) * DAY_MS);
  }
  const months = length.count * (length.unit === 'year' ? 12 : 1);
  const earlier = new Date(instant);
  earlier.setUTCDate(1);
  earlier.setUTCMonth(earlier.getUTCMonth() - months);
  const last = new Date(Date.UTC(earlier.getUTCFullYear(), earlier.getUTCMonth() + 1, 0)).getUTCDate();
  earlier.setUTCDate(Math.min(instant.getUTCDate(), last));
  return earlier;
}

/** The midnight of UTC that the instant's day began with. */
export function startOfDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / DAY_MS) * DAY_MS);
}
