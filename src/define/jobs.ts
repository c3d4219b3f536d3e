// Joins what traits keep and what the user says of jobs into the jobs of a definition.
import type { Job, JobFacet, JobSettings, Kept, Task } from './job.ts';
import type { Model } from './model.ts';
import type { Diagnostic, Trait } from './trait.ts';

const NAME = /^[a-z][a-z0-9-]{0,59}$/;

/**
 * The jobs of a definition by name, and what is wrong with them. The user's settings of a job win over a trait's.
 * Pure: cron expressions are read by the keeper.
 */
export function collectJobs(
  model: Model,
  from: { readonly traits: readonly Trait[]; readonly own: readonly JobFacet[] },
): { readonly jobs: readonly Job[]; readonly diagnostics: readonly Diagnostic[] } {
  const kept = from.traits.flatMap((trait) => trait.keep?.(model) ?? []);
  const settings = new Map<string, JobSettings>();
  for (const [name, given] of kept.flatMap((one: Kept) => Object.entries(one.jobs)))
    settings.set(name, together(settings.get(name), given));
  for (const facet of from.own) settings.set(facet.name, facet.settings);
  const tasks: Task[] = [
    ...kept.flatMap((one) => one.tasks),
    ...from.own.flatMap((facet) => facet.task ?? []),
  ];
  const jobs = [...settings]
    .map(([name, given]): Job => ({
      name,
      settings: given,
      tasks: tasks.filter((task) => task.job === name),
    }))
    // A trait's default job that the user renamed away has no task left; one the user wrote without any is a mistake.
    .filter((job) => job.tasks.length > 0 || from.own.some((facet) => facet.name === job.name));
  return { jobs, diagnostics: [...mistakes(jobs, from.own), ...homeless(tasks, settings), ...cycles(jobs)] };
}

/** Two values of a trait fill one default job: it runs after whatever either of them waits for. */
function together(first: JobSettings | undefined, second: JobSettings): JobSettings {
  const after = [...new Set([...(first?.after ?? []), ...(second.after ?? [])])];
  return after.length === 0 ? second : { ...second, after };
}

function mistakes(jobs: readonly Job[], own: readonly JobFacet[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  const add = (name: string, what: string, fix: string): void => {
    found.push({ code: 'HF_JOB', severity: 'error', subject: `job ${name}`, what, fix });
  };
  for (const { name, settings, tasks } of jobs) {
    if (!NAME.test(name))
      add(
        name,
        'its name cannot be used.',
        'Use small letters, digits and hyphens, a letter first, at most 60.',
      );
    if (tasks.length === 0)
      add(name, 'nothing hangs on it.', 'Give it work, or name it in the `job` of a trait.');
    const unknown = (settings.after ?? []).filter((other) => !jobs.some((one) => one.name === other));
    if (unknown.length > 0)
      add(
        name,
        `it runs after ${unknown.join(', ')}, which is no job here.`,
        'Name jobs of this definition.',
      );
    const subjects = tasks.map((task) => task.subject);
    const twice = subjects.filter((subject, at) => subjects.indexOf(subject) !== at);
    if (twice.length > 0) add(name, `it works on ${twice.join(', ')} twice.`, 'Say each promise once.');
    const bad = numbers(settings);
    if (bad !== undefined) add(name, bad, 'Give whole numbers above zero.');
  }
  const names = own.map((facet) => facet.name);
  for (const name of new Set(names.filter((one, at) => names.indexOf(one) !== at)))
    add(name, 'it is declared twice.', 'Keep one of them.');
  return found;
}

function numbers(settings: JobSettings): string | undefined {
  const { schedule, timeoutMs, retry, keepRuns } = settings;
  const given: Readonly<Record<string, number | undefined>> = {
    everyMs: 'everyMs' in schedule ? schedule.everyMs : undefined,
    timeoutMs,
    attempts: retry?.attempts,
    keepRuns,
  };
  const wrong = Object.entries(given).find(
    ([, value]) => value !== undefined && (!Number.isInteger(value) || value < 1),
  );
  return wrong === undefined ? undefined : `its ${wrong[0]} is ${String(wrong[1])}.`;
}

function homeless(tasks: readonly Task[], settings: ReadonlyMap<string, JobSettings>): Diagnostic[] {
  return tasks
    .filter((task) => !settings.has(task.job))
    .map((task) => ({
      code: 'HF_JOB',
      severity: 'error',
      subject: task.subject,
      what: `trait ${task.trait} hangs it on job ${task.job}, which is not declared.`,
      fix: `Add job('${task.job}', { schedule: … }) to the definition's jobs.`,
    }));
}

function cycles(jobs: readonly Job[]): Diagnostic[] {
  const waiting = new Set(jobs.map((one) => one.name));
  for (let before = -1; before !== waiting.size;) {
    before = waiting.size;
    for (const { name, settings } of jobs)
      if (!(settings.after ?? []).some((other) => waiting.has(other))) waiting.delete(name);
  }
  if (waiting.size === 0) return [];
  return [
    {
      code: 'HF_JOB',
      severity: 'error',
      subject: `jobs ${[...waiting].join(', ')}`,
      what: 'each waits for another of them to run first.',
      fix: 'Take one name out of an `after`.',
    },
  ];
}
