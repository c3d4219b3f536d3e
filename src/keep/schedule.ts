// When a job is due. Cron expressions are croner's business; the rest is comparing instants.
import { Cron } from 'croner';
import { DefinitionError, type Definition, type Diagnostic, type Schedule } from '../define/index.ts';

type CronSchedule = Extract<Schedule, { readonly cron: unknown }>;

/**
 * Refuses a definition whose cron expressions or time zones cannot be read.
 * @throws DefinitionError HF_DEFINITION with one HF_CRON finding for each
 */
export function checkSchedules(definition: Pick<Definition, 'name' | 'jobs'>): void {
  const found = scheduleMistakes(definition);
  if (found.length > 0) throw new DefinitionError(definition.name, found);
}

/** What is wrong with the schedules of a definition, as values: HF_CRON for an expression or a zone that cannot be read. */
export function scheduleMistakes(definition: Pick<Definition, 'jobs'>): readonly Diagnostic[] {
  return definition.jobs.flatMap(({ name, settings: { schedule } }) => {
    if (!('cron' in schedule)) return [];
    const what = zoneMistake(schedule.zone) ?? expressionsMistake(schedule);
    if (what === undefined) return [];
    return [{ code: 'HF_CRON', severity: 'error', subject: `job ${name}`, ...what } as const];
  });
}

/**
 * The first time after `at` a schedule is due; undefined when it never is again.
 * Where clocks go forward, a time that does not exist is due at the moment they do; where they go back, a time of day
 * that comes twice is due once, and an expression that names every hour or minute goes on through both.
 */
export function dueAfter(schedule: Schedule, at: Date): Date | undefined {
  if ('everyMs' in schedule) return new Date(at.getTime() + schedule.everyMs);
  return extreme(
    crons(schedule).map((cron) => cron.nextRun(at)),
    (a, b) => a < b,
  );
}

/** The newest time a cron schedule was due, not later than `at`; undefined when it never was. */
export function dueBefore(schedule: CronSchedule, at: Date): Date | undefined {
  // croner looks for times strictly before its reference, by whole seconds.
  const reference = new Date(Math.floor(at.getTime() / 1000) * 1000 + 1000);
  return extreme(
    crons(schedule).map((cron) => cron.previousRuns(1, reference)[0]),
    (a, b) => a > b,
  );
}

/** A schedule for people: `0 1 * * * UTC`, `every 60 s`. */
export function saySchedule(schedule: Schedule): string {
  if ('everyMs' in schedule) return `every ${schedule.everyMs / 1000} s`;
  return `${[schedule.cron].flat().join(' or ')} ${schedule.zone ?? 'UTC'}`;
}

const read = new Map<string, Cron>();

function crons(schedule: CronSchedule): Cron[] {
  return [schedule.cron].flat().map((expression) => cronOf(expression, schedule.zone ?? 'UTC'));
}

function cronOf(expression: string, timezone: string): Cron {
  const key = `${timezone} ${expression}`;
  const known = read.get(key);
  if (known !== undefined) return known;
  const cron = new Cron(expression, { timezone, paused: true });
  read.set(key, cron);
  return cron;
}

function extreme(
  found: readonly (Date | null | undefined)[],
  wins: (a: Date, b: Date) => boolean,
): Date | undefined {
  return found.reduce<Date | undefined>(
    (best, one) =>
      one === null || one === undefined ? best : best === undefined || wins(one, best) ? one : best,
    undefined,
  );
}

type Words = Pick<Diagnostic, 'what' | 'fix'>;

function zoneMistake(zone = 'UTC'): Words | undefined {
  try {
    // An empty name would silently mean the machine's own zone.
    if (zone !== '' && new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '')
      return undefined;
  } catch {
    // Not a zone this Node.js knows.
  }
  return {
    what: `there is no time zone ${JSON.stringify(zone)}.`,
    fix: 'Name one of the IANA list, such as America/Sao_Paulo, or leave it out for UTC.',
  };
}

function expressionsMistake(schedule: CronSchedule): Words | undefined {
  const expressions = [schedule.cron].flat();
  if (expressions.length === 0)
    return { what: 'its cron is an empty list.', fix: 'Give at least one expression.' };
  return expressions.map((one) => expressionMistake(one, schedule.zone ?? 'UTC')).find(Boolean);
}

function expressionMistake(expression: string, zone: string): Words | undefined {
  const fix = "Write minute, hour, day of month, month, day of week: '10 0 * * *' is 00:10 every day.";
  try {
    const never = cronOf(expression, zone).nextRun() === null;
    return never ? { what: `${JSON.stringify(expression)} is never due.`, fix } : undefined;
  } catch (error) {
    const said = (error instanceof Error ? error.message : String(error)).replace(/^Cron\w+: /, '');
    return { what: `${JSON.stringify(expression)} is no cron expression: ${said.replace(/\.$/, '')}.`, fix };
  }
}
