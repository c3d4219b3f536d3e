// Whether the machine was quiet enough for a time to mean anything: the same stream of requests that ask for nothing,
// before and after, and what the processor was kept from doing.
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { Client } from 'pg';
import { openLoop } from './open-loop.ts';
import { spread, type Spread } from './percentile.ts';
import type { Stopwatch } from './stopwatch.ts';

/** The stream of `SELECT 1`. */
const STREAM = { ratePerSecond: 200, count: 200, clients: 1, graceMs: 2_000 } as const;

/** From where on a machine is called noisy. */
export const calmLimits = {
  /** p95 ÷ p50 of the stream. */
  spread: 3,
  /** p50 of the stream after ÷ before, or before ÷ after. */
  shift: 1.6,
  /** Share of the processors' time that the host gave to others. */
  steal: 0.02,
  /** Processors that others kept busy during the stream; the server's own session needs a tenth of one. */
  others: 0.4,
  /** p95 of how late this process sent a request that was due, in milliseconds. */
  latenessMs: 1,
} as const;

/** The machine at one moment. */
export interface Calm {
  readonly stream: Spread;
  /** p95 of how late this process sent what was due, in milliseconds. */
  readonly latenessMs: number;
  /** Processors kept busy by others than this process; null where the system does not tell. */
  readonly others: number | null;
  readonly processor: Processor | null;
}

/** Time of all processors in ticks of the kernel, a hundred a second. */
interface Processor {
  readonly all: number;
  readonly idle: number;
  readonly stolen: number;
  /** Of this process, in seconds. */
  readonly ownSeconds: number;
}

/** Sends the stream on a session and looks at the processors. */
export async function readCalm(client: Client, clock: Stopwatch): Promise<Calm> {
  const first = await readProcessor();
  const answered = await openLoop({ ...STREAM, clock }, () => client.query('SELECT 1'));
  const last = await readProcessor();
  return {
    stream: spread(answered.latencies),
    latenessMs: spread(answered.lateness).p95,
    others: busyBetween(first, last),
    processor: last,
  };
}

/** What disturbed a measurement, in a person's words; none where nothing did. */
export function disturbances(before: Calm, after: Calm): readonly string[] {
  const found = [...restless('before', before), ...restless('after', after)];
  const shift = after.stream.p50 / before.stream.p50;
  if (Math.max(shift, 1 / shift) > calmLimits.shift) {
    found.push(`SELECT 1 took ${shift.toFixed(1)} times as long after it as before`);
  }
  const stolen = stealBetween(before, after);
  if (stolen > calmLimits.steal) found.push(`the host took ${(100 * stolen).toFixed(0)} % of the processors`);
  return found;
}

function restless(when: string, { stream, latenessMs, others }: Calm): readonly string[] {
  const ratio = stream.p95 / stream.p50;
  return [
    ...(ratio > calmLimits.spread
      ? [`p95 of SELECT 1 ${when} it was ${ratio.toFixed(1)} times its p50`]
      : []),
    ...(latenessMs > calmLimits.latenessMs
      ? [`SELECT 1 ${when} it was sent late: p95 ${latenessMs.toFixed(1)} ms`]
      : []),
    ...(others !== null && others > calmLimits.others
      ? [`others kept ${others.toFixed(1)} processors busy ${when} it`]
      : []),
  ];
}

function stealBetween(before: Calm, after: Calm): number {
  if (before.processor === null || after.processor === null) return 0;
  const all = after.processor.all - before.processor.all;
  return all <= 0 ? 0 : (after.processor.stolen - before.processor.stolen) / all;
}

const TICKS_A_SECOND = 100;

function busyBetween(before: Processor | null, after: Processor | null): number | null {
  if (before === null || after === null || after.all <= before.all) return null;
  const seconds = (after.all - before.all) / TICKS_A_SECOND / cpus().length;
  const busy = (after.all - after.idle - before.all + before.idle) / TICKS_A_SECOND;
  return Math.max(0, (busy - (after.ownSeconds - before.ownSeconds)) / seconds);
}

// cpu user nice system idle iowait irq softirq steal …: https://man7.org/linux/man-pages/man5/proc_stat.5.html
async function readProcessor(): Promise<Processor | null> {
  const text = await readFile('/proc/stat', 'utf8').catch(() => '');
  const ticks = /^cpu +(.*)$/m.exec(text)?.[1]?.split(' ').map(Number);
  if (ticks === undefined || ticks.length < 8) return null;
  const { user, system } = process.cpuUsage();
  return {
    all: ticks.slice(0, 8).reduce((sum, one) => sum + one, 0),
    idle: (ticks[3] ?? 0) + (ticks[4] ?? 0),
    stolen: ticks[7] ?? 0,
    ownSeconds: (user + system) / 1e6,
  };
}
