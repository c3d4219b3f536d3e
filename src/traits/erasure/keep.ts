// What happens over time: erasures that were begun are finished, and those that were done are repeated on what came back.
import type { Done, Kept, TaskContext } from '../../define/job.ts';
import type { Model } from '../../define/model.ts';
import { eraserOf } from './eraser.ts';
import type { ErasureOptions } from './options.ts';
import { planOf } from './plan.ts';

/** Daily at 03:00 UTC, after the retention has moved what it moves. */
export function kept(model: Model, options: ErasureOptions): Kept {
  const { job, subjects } = planOf(model, options);
  const task = {
    job,
    trait: 'erasure',
    subject: `erasure of ${subjects.map((one) => one.name).join(', ')}`,
    run: async (context: TaskContext): Promise<Done> => replayedAs(model, options, { context }),
  };
  return { jobs: { [job]: { schedule: { cron: '0 3 * * *' }, timeoutMs: 6 * 3_600_000 } }, tasks: [task] };
}

/** The replay as a task tells it. */
export async function replayedAs(
  model: Model,
  options: ErasureOptions,
  how: { readonly context: TaskContext; readonly everywhere?: boolean },
): Promise<Done> {
  const { context, everywhere = false } = how;
  const { erased, rows, waiting } = await eraserOf(model, options).replay(context, { everywhere });
  const said = [
    ...(erased > 0 ? [`${erased} erased`] : []),
    ...(waiting > 0 ? [`${waiting} wait for a transaction to end`] : []),
  ];
  return { rows, ...(said.length > 0 && { what: said.join(', ') }) };
}
