// Values between PostgreSQL's binary form (hexadecimal), JavaScript and the text that PostgreSQL reads under any setting.

const view = new DataView(new ArrayBuffer(8));

/** Eight bytes in hexadecimal as a signed number. */
export function int64OfHex(hex: string): bigint {
  view.setUint32(0, Number.parseInt(hex.slice(0, 8), 16));
  view.setUint32(4, Number.parseInt(hex.slice(8, 16), 16));
  return view.getBigInt64(0);
}

/** A signed number as eight bytes in hexadecimal. */
export function hexOfInt64(value: bigint): string {
  view.setBigInt64(0, value);
  return word(view.getUint32(0)) + word(view.getUint32(4));
}

/** Four bytes in hexadecimal as a signed number. */
export function int32OfHex(hex: string): number {
  return Number.parseInt(hex, 16) | 0;
}

/** Four bytes in hexadecimal as a number of single precision. */
export function float4Of(hex: string): number {
  view.setUint32(0, Number.parseInt(hex, 16));
  return view.getFloat32(0);
}

/** Eight bytes in hexadecimal as a number of double precision. */
export function float8Of(hex: string): number {
  view.setUint32(0, Number.parseInt(hex.slice(0, 8), 16));
  view.setUint32(4, Number.parseInt(hex.slice(8, 16), 16));
  return view.getFloat64(0);
}

/** A number of single precision in hexadecimal; every NaN as PostgreSQL writes its one. */
export function hexOfFloat4(value: number): string {
  if (Number.isNaN(value)) return '7fc00000';
  view.setFloat32(0, value);
  return word(view.getUint32(0));
}

/** A number of double precision in hexadecimal; every NaN as PostgreSQL writes its one. */
export function hexOfFloat8(value: number): string {
  if (Number.isNaN(value)) return '7ff8000000000000';
  view.setFloat64(0, value);
  return word(view.getUint32(0)) + word(view.getUint32(4));
}

function word(value: number): string {
  return value.toString(16).padStart(8, '0');
}

const INFINITE = 2n ** 63n - 1n;
const MINUS_INFINITE = -(2n ** 63n);
const DAY_MICROS = 86_400_000_000n;
const EPOCH_DAYS = 10_957n;

/**
 * A timestamp as text that PostgreSQL reads whatever its DateStyle and TimeZone say.
 * @param micros microseconds since 2000-01-01, the ends of the range for the infinities
 * @param zoned with `+00`
 */
export function timestampText(micros: bigint, zoned: boolean): string {
  if (micros === INFINITE) return 'infinity';
  if (micros === MINUS_INFINITE) return '-infinity';
  const days = floorDivide(micros, DAY_MICROS);
  const { date, era } = calendar(days + EPOCH_DAYS);
  return `${date} ${timeText(micros - days * DAY_MICROS)}${zoned ? '+00' : ''}${era}`;
}

/** A finite date as text; `days` since 2000-01-01. */
export function dateText(days: number): string {
  const { date, era } = calendar(BigInt(days) + EPOCH_DAYS);
  return `${date}${era}`;
}

/** A time of day as text with six decimals; `micros` since midnight. */
export function timeText(micros: bigint): string {
  const seconds = micros / 1_000_000n;
  const clock = `${pad(seconds / 3600n, 2)}:${pad((seconds / 60n) % 60n, 2)}:${pad(seconds % 60n, 2)}`;
  return `${clock}.${pad(micros % 1_000_000n, 6)}`;
}

// JavaScript's own dates end in the year 275760; PostgreSQL's go on, so the calendar is counted here:
// https://howardhinnant.github.io/date_algorithms.html#civil_from_days
function calendar(daysSince1970: bigint): { date: string; era: string } {
  const shifted = daysSince1970 + 719_468n;
  const cycle = floorDivide(shifted, 146_097n);
  const dayOfCycle = shifted - cycle * 146_097n;
  const yearOfCycle = (dayOfCycle - dayOfCycle / 1460n + dayOfCycle / 36_524n - dayOfCycle / 146_096n) / 365n;
  const dayOfYear = dayOfCycle - (365n * yearOfCycle + yearOfCycle / 4n - yearOfCycle / 100n);
  const shiftedMonth = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * shiftedMonth + 2n) / 5n + 1n;
  const month = shiftedMonth < 10n ? shiftedMonth + 3n : shiftedMonth - 9n;
  const year = yearOfCycle + cycle * 400n + (month <= 2n ? 1n : 0n);
  // There is no year 0: what astronomers call so is 1 BC.
  const shown = year > 0n ? year : 1n - year;
  return { date: `${pad(shown, 4)}-${pad(month, 2)}-${pad(day, 2)}`, era: year > 0n ? '' : ' BC' };
}

function pad(value: bigint, width: number): string {
  return value.toString().padStart(width, '0');
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}
