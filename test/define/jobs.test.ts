import { describe, expect, test } from 'vitest';
import { database, DefinitionError, job } from '../../src/define/index.ts';
import type { JobFacet, JobSettings, Task, Trait } from '../../src/define/index.ts';

const hourly: JobSettings = { schedule: { cron: '0 * * * *' } };
const daily: JobSettings = { schedule: { cron: '0 1 * * *' } };

function keeping(name: string, given: { jobs?: Record<string, JobSettings>; tasks: Partial<Task>[] }): Trait {
  const whole = (task: Partial<Task>): Task => ({
    job: name,
    trait: name,
    subject: 'table a.b',
    run: async () => ({}),
    ...task,
  });
  return { name, keep: () => ({ jobs: given.jobs ?? {}, tasks: given.tasks.map(whole) }) };
}

function refusal(traits: Trait[], jobs: JobFacet[] = []): string[] {
  try {
    database('shop', { traits, jobs });
  } catch (error) {
    if (error instanceof DefinitionError)
      return error.diagnostics.map((one) => `${one.code} ${one.subject}: ${one.what}`);
    throw error;
  }
  return [];
}

describe('jobs of a definition', () => {
  test('tasks of several traits join on one job, and the user says when it runs', () => {
    const { jobs } = database('shop', {
      traits: [
        keeping('one', { jobs: { nightly: daily }, tasks: [{ job: 'nightly', subject: 'table a.a' }] }),
        keeping('two', { tasks: [{ job: 'nightly', subject: 'table a.b' }] }),
      ],
      jobs: [job('nightly', hourly)],
    });
    expect(jobs.map((one) => [one.name, one.settings, one.tasks.map((task) => task.subject)])).toEqual([
      ['nightly', hourly, ['table a.a', 'table a.b']],
    ]);
  });

  test("a trait's default job that its tasks were moved away from is gone", () => {
    const { jobs } = database('shop', {
      traits: [keeping('one', { jobs: { usual: daily }, tasks: [{ job: 'mine' }] })],
      jobs: [job('mine', hourly)],
    });
    expect(jobs.map((one) => one.name)).toEqual(['mine']);
  });

  test("SQL of the user's own is a task that pg_cron may run too", () => {
    const { jobs, model } = database('shop', { jobs: [job('tidy', daily, { sql: 'DELETE FROM a.b' })] });
    expect(jobs[0]?.tasks[0]?.sql?.(model)).toEqual(['DELETE FROM a.b']);
  });

  test.each<{ name: string; traits: Trait[]; own: JobFacet[]; says: string[] }>([
    {
      name: 'an empty job',
      traits: [],
      own: [job('idle', daily)],
      says: ['HF_JOB job idle: nothing hangs on it.'],
    },
    {
      name: 'a name nobody can type',
      traits: [],
      own: [job('Nightly Run', daily, { sql: 'SELECT 1' })],
      says: ['HF_JOB job Nightly Run: its name cannot be used.'],
    },
    {
      name: 'a job that is nowhere declared',
      traits: [keeping('one', { tasks: [{ job: 'elsewhere' }] })],
      own: [],
      says: ['HF_JOB table a.b: trait one hangs it on job elsewhere, which is not declared.'],
    },
    {
      name: 'the same work twice',
      traits: [keeping('one', { jobs: { one: daily }, tasks: [{}, {}] })],
      own: [],
      says: ['HF_JOB job one: it works on table a.b twice.'],
    },
    {
      name: 'an order that bites its tail',
      traits: [],
      own: [
        job('a', { ...daily, after: ['b'] }, { sql: 'SELECT 1' }),
        job('b', { ...daily, after: ['a'] }, { sql: 'SELECT 1' }),
      ],
      says: ['HF_JOB jobs a, b: each waits for another of them to run first.'],
    },
    {
      name: 'an order after nothing',
      traits: [],
      own: [job('a', { ...daily, after: ['ghost'] }, { sql: 'SELECT 1' })],
      says: ['HF_JOB job a: it runs after ghost, which is no job here.'],
    },
    {
      name: 'a time that is none',
      traits: [],
      own: [job('a', { ...daily, timeoutMs: 0 }, { sql: 'SELECT 1' })],
      says: ['HF_JOB job a: its timeoutMs is 0.'],
    },
    {
      name: 'two declarations',
      traits: [],
      own: [job('a', daily, { sql: 'SELECT 1' }), job('a', hourly)],
      says: ['HF_JOB job a: it is declared twice.'],
    },
  ])('$name is refused', ({ traits, own, says }) => {
    expect(refusal(traits, own)).toEqual(says);
  });
});
