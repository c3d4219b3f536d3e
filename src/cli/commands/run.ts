// holdfast run: one job, now.
import { HoldfastError } from '../../error.ts';
import { runJob } from '../../keep/index.ts';
import { type Command, EXIT, flag, type Invocation } from '../command.ts';
import { progress, say } from '../output.ts';
import { sayRun, sayTask } from '../show-jobs.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';

/** `holdfast run JOB [DEFINITION]`. */
export const runCommand: Command = {
  name: 'run',
  summary: 'run one job now, whatever its schedule says; a keeper that leads makes room between two jobs',
  usage: 'JOB [DEFINITION] [--url URL] [--json]',
  options: { ...targetOptions },
  help: { ...targetHelp },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const [job, ...positionals] = invocation.positionals;
  if (job === undefined) {
    throw new HoldfastError({
      code: 'HF_NO_JOB',
      subject: 'holdfast run',
      what: 'no job is named.',
      fix: 'Name one: holdfast run partitions; holdfast status shows them.',
    });
  }
  return withTarget({ ...invocation, positionals }, async ({ loaded, place }) => {
    const line = progress(invocation.terminal);
    const report = await runJob(loaded.definition, place.url, job, {
      signal: invocation.signal,
      onEvent: (event) => {
        if (event.kind === 'progress') line.show(event.text);
      },
    }).finally(() => line.end());
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(report, null, 2));
    else {
      say(invocation.terminal, sayRun(report));
      for (const task of report.tasks) say(invocation.terminal, `  ${task.subject}: ${sayTask(task)}`);
    }
    return report.state === 'done' ? EXIT.done : EXIT.failed;
  });
}
