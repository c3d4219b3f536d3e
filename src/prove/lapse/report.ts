// A replay in words: a table for people, and what a failing day needs to be seen again.
import { days } from './horizon.ts';
import type { Failure } from './replay.ts';
import type { Figures } from './standing.ts';
import type { Picture } from './timeline.ts';

/** What became of one job. */
export interface JobFigures {
  readonly name: string;
  readonly runs: number;
  readonly failures: number;
  /** From when a run was due to when it began, at worst, in milliseconds of simulated time. */
  readonly worstLatenessMs: number;
}

/** What a replay found. */
export interface Lapse {
  readonly definition: string;
  readonly variant: string;
  readonly seed: number;
  readonly from: Date;
  /** Simulated days that were gone through. */
  readonly days: number;
  readonly rowsPerDay: number;
  readonly ticks: number;
  readonly kills: number;
  /** How many times something was held against a promise. */
  readonly checks: number;
  readonly relations: readonly Figures[];
  readonly jobs: readonly JobFigures[];
  /** The findings of the first day that was not as promised; empty: every day was. */
  readonly failures: readonly Failure[];
  readonly picture: Picture;
  /** Real time it took, in milliseconds. */
  readonly tookMs: number;
}

/** The rows of the table of relations, headings first. */
export function relationRows({ relations }: Lapse): string[][] {
  return [
    ['table', 'inserted', 'online', 'archived', 'deleted', 'left at', 'stayed to', 'room ahead'],
    ...relations.map((one) => [
      one.relation,
      String(one.inserted - one.withdrawn),
      String(one.online),
      String(one.archived),
      String(one.deleted),
      one.earliestLeaveMs === null ? '-' : `${days(one.earliestLeaveMs)} at least`,
      one.longestStayMs === null ? '-' : `${days(one.longestStayMs)} at most`,
      one.headroomMs === null ? '-' : `${days(one.headroomMs)} at least`,
    ]),
  ];
}

/** The rows of the table of jobs, headings first. */
export function jobRows({ jobs }: Lapse): string[][] {
  return [
    ['job', 'runs', 'failures', 'late at most'],
    ...jobs.map((one) => [
      one.name,
      String(one.runs),
      String(one.failures),
      `${(one.worstLatenessMs / 3_600_000).toFixed(1)} h`,
    ]),
  ];
}

/** One line: what was gone through and how it came out. */
export function verdict(lapse: Lapse): string {
  const gone = `${lapse.definition}, ${lapse.variant}: ${lapse.days} days from ${lapse.from.toISOString().slice(0, 10)}`;
  const done = `${lapse.ticks} ticks, ${lapse.checks} checks${lapse.kills === 0 ? '' : `, ${lapse.kills} kills`}`;
  const time = `${(lapse.tookMs / 1000).toFixed(1)} s, seed ${lapse.seed}`;
  return `${lapse.failures.length === 0 ? 'held' : 'BROKEN'}  ${gone}; ${done}; ${time}`;
}

/** What broke, one line a finding, and the command that shows it again. */
export function brokenLines(lapse: Lapse, again: string): string[] {
  if (lapse.failures.length === 0) return [];
  return [
    ...lapse.failures.map(
      (one) =>
        `day ${one.day} (${one.at.toISOString()}), ${one.subject}: ${one.check}: expected ${one.expected}, found ${one.found}`,
    ),
    `again: ${again}`,
  ];
}
