// Which of the due jobs may begin. Jobs that `after` connects, over any number of others, form a group; one job of a
// group runs at a time. Pure.
import type { Job } from '../define/index.ts';

/** A group: the names of its jobs, each after those it waits for. */
export type Group = readonly string[];

/** Splits jobs into groups; inside one, whoever waits stands behind whom it waits for. */
export function groupsOf(jobs: readonly Job[]): readonly Group[] {
  const groups: string[][] = [];
  for (const { name, settings } of jobs) {
    const linked = [name, ...(settings.after ?? [])];
    const touched = groups.filter((group) => group.some((one) => linked.includes(one)));
    const merged = [...new Set([...touched.flat(), ...linked])];
    for (const group of touched) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups.map((group) => inOrder(jobs.filter((job) => group.includes(job.name))));
}

function inOrder(jobs: readonly Job[]): Group {
  const waiting = [...jobs];
  const ordered: string[] = [];
  while (waiting.length > 0) {
    const at = waiting.findIndex(
      (job) => !(job.settings.after ?? []).some((name) => waiting.some((one) => one.name === name)),
    );
    // A definition with a circle is refused before it gets here; the first one then is as good as any.
    ordered.push(...waiting.splice(Math.max(0, at), 1).map((job) => job.name));
  }
  return ordered;
}

/**
 * The next job of each group that is free, at most `room` of them.
 * @param due names of the jobs that are due
 * @param running names of the jobs that run now
 */
export function nextOf(
  groups: readonly Group[],
  {
    due,
    running,
    room,
  }: { readonly due: ReadonlySet<string>; readonly running: ReadonlySet<string>; readonly room: number },
): readonly string[] {
  return groups
    .filter((group) => !group.some((name) => running.has(name)))
    .flatMap((group) => group.find((name) => due.has(name)) ?? [])
    .slice(0, Math.max(0, room));
}
