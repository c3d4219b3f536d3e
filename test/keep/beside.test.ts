// Tasks that say so run side by side, three at most; the others by themselves; every report in its place.
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import type { Done, Task, TaskContext } from '../../src/define/job.ts';
import { runJob } from '../../src/keep/index.ts';
import { test } from '../cluster/index.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const clock = { now: () => NOW, monotonicMs: () => 0, sleep: async () => undefined };

/** A definition of one job with these tasks. */
function defined(tasks: readonly Omit<Task, 'job' | 'trait'>[]) {
  const keep = () => ({
    jobs: { work: { schedule: { everyMs: 60_000 } } },
    tasks: tasks.map((task) => ({ ...task, job: 'work', trait: 'many' })),
  });
  return database('many', { tables: {}, traits: [{ name: 'many', keep }] });
}

test('neighbours that say so run side by side, the rest alone, in order', async ({ db }) => {
  const now = new Set<string>();
  const seen: string[] = [];
  const pids = new Set<number>();
  const work =
    (subject: string) =>
    async ({ session }: TaskContext): Promise<Done> => {
      now.add(subject);
      seen.push([...now].sort().join(' '));
      const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, pg_sleep(0.05)');
      pids.add(row?.pid ?? 0);
      now.delete(subject);
      if (subject === 'b3') throw new Error('not this one');
      return { what: subject };
    };
  const names = ['a1', 'b1', 'b2', 'b3', 'b4', 'b5', 'c1', 'b6'];
  const definition = defined(
    names.map((subject) => ({ subject, run: work(subject), beside: subject.startsWith('b') })),
  );
  const { state, tasks, error } = await runJob(definition, db.url, 'work', { clock });
  expect(tasks.map(({ subject, what, error: failed }) => failed ?? `${subject} ${what ?? ''}`)).toEqual(
    names.map((name) => (name === 'b3' ? 'not this one' : `${name} ${name}`)),
  );
  expect([state, error]).toEqual(['failed', '1 of 8 tasks failed: b3: not this one']);
  const abreast = seen.map((line) => line.split(' '));
  expect(Math.max(...abreast.map((line) => line.length))).toBe(3);
  for (const line of abreast)
    if (line.length > 1) expect(line.every((one) => one.startsWith('b'))).toBe(true);
  expect(seen.filter((line) => /b1|b2|b3|b4|b5/.test(line) && line.includes('b6'))).toEqual([]);
  expect(pids.size).toBe(3);
});
