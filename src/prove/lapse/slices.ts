// Stretches of simulated time between two ticks, cut at midnight UTC, and row times within them in microseconds.
import type { Random } from './random.ts';
import type { Slice } from './traffic.ts';

const DAY_MS = 86_400_000;
const MICROSECONDS = 1000;

/** What {@link slicesOf} cuts and fills. */
export interface Stretch {
  /** Start of the replay. */
  readonly began: Date;
  readonly from: Date;
  readonly to: Date;
  readonly rowsPerDay: number;
  /** How far back the traffic may touch rows, in days. */
  readonly touchDays: number;
  readonly random: Random;
}

/** The stretch as slices that do not cross midnight UTC, in order; rows in proportion to their length. */
export function slicesOf(stretch: Stretch): Slice[] {
  const slices: Slice[] = [];
  for (let fromMs = stretch.from.getTime(); fromMs < stretch.to.getTime();) {
    const midnight = (Math.floor(fromMs / DAY_MS) + 1) * DAY_MS;
    const toMs = Math.min(midnight, stretch.to.getTime());
    slices.push(slice(stretch, fromMs, toMs));
    fromMs = toMs;
  }
  return slices;
}

function slice(stretch: Stretch, fromMs: number, toMs: number): Slice {
  return {
    from: new Date(fromMs),
    to: new Date(toMs),
    day: Math.floor((fromMs - stretch.began.getTime()) / DAY_MS),
    rows: Math.max(1, Math.round((stretch.rowsPerDay * (toMs - fromMs)) / DAY_MS)),
    touchFrom: new Date(fromMs - stretch.touchDays * DAY_MS),
    times: (count) => times(stretch.random, { fromMs, toMs, count }),
  };
}

function times(
  random: Random,
  within: { readonly fromMs: number; readonly toMs: number; readonly count: number },
): string[] {
  const { fromMs, toMs, count } = within;
  const length = (toMs - fromMs) * MICROSECONDS;
  const offsets = Array.from({ length: count }, (_, at) => {
    if (count > 1 && at === 0) return 0;
    if (count > 1 && at === 1) return length - 1;
    return Math.floor(random() * length);
  });
  return offsets.sort((left, right) => left - right).map((offset) => text(fromMs, offset));
}

/** An instant so many microseconds after `fromMs`, as text that every session reads alike. */
function text(fromMs: number, offset: number): string {
  const ms = fromMs + Math.floor(offset / MICROSECONDS);
  const iso = new Date(ms).toISOString();
  const micro = String(offset % MICROSECONDS).padStart(3, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${micro}+00`;
}
