// holdfast status: what is applied here, what differs from the definition, what was cut off, what is late; changes nothing.
import { drift, type Drift } from '../../build/index.ts';
import { jobStatus, withCronLog, type JobStatus } from '../../keep/index.ts';
import { runs, type Run } from '../../ledger/index.ts';
import { withClient } from '../../server/index.ts';
import { card, collect, lateAfterSeconds } from '../../watch/index.ts';
import { type Command, EXIT, flag, type Invocation } from '../command.ts';
import { columns, counted, paint, progress, say } from '../output.ts';
import { showJobs } from '../show-jobs.ts';
import { showWatch } from '../show-watch.ts';
import { scratchServer, targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';

const SHOWN_RUNS = 5;

/** `holdfast status [DEFINITION]`. */
export const statusCommand: Command = {
  name: 'status',
  summary:
    'say what is applied, what was cut off, what is late, and what differs between definition, ledger and server',
  usage: '[DEFINITION] [--url URL] [--json]',
  options: { ...targetOptions },
  help: { ...targetHelp },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withTarget(invocation, async ({ loaded, place }) => {
    const now = invocation.now();
    const { history, known } = await withClient(place.url, async (client) => ({
      history: await runs(client),
      known: await jobStatus(loaded.definition, client, { now }),
    }));
    const jobs = await withCronLog(loaded.definition, place.url, known);
    const line = progress(invocation.terminal);
    const found = await drift(loaded.definition, place.url, {
      baseDir: loaded.baseDir,
      now,
      signal: invocation.signal,
      fallback: scratchServer,
      onProgress: ({ stage }) => line.show(stage),
    }).finally(() => line.end());
    const watched = card(await collect(loaded.definition, place.url, { now }));
    const cutOff = history.find(({ state }) => state === 'applying' || state === 'rolling back');
    const clean =
      found.differences.length === 0 &&
      cutOff === undefined &&
      jobs.every((one) => !needsLook(one)) &&
      watched.every((line) => !line.late);
    if (flag(invocation, 'json')) {
      say(
        invocation.terminal,
        JSON.stringify({ ...machine(place.shown, history, found), jobs, watched }, null, 2),
      );
    } else {
      say(invocation.terminal, `database  ${place.shown}`);
      showRuns(invocation, history);
      showDrift(invocation, found);
      showJobs(invocation.terminal, jobs, now);
      showWatch(invocation.terminal, watched);
    }
    return clean ? EXIT.done : EXIT.differs;
  });
}

// As the alerts on the same job have it: a minute late is no reason to fail a script.
function needsLook({ lateMs, failures }: JobStatus): boolean {
  return lateMs > lateAfterSeconds * 1000 || failures > 0;
}

function showRuns(invocation: Invocation, history: readonly Run[]): void {
  const { terminal } = invocation;
  if (history.length === 0) {
    say(terminal, 'ledger    nothing was applied here by holdfast');
    return;
  }
  say(terminal, 'ledger    newest first');
  const rows = history
    .slice(0, SHOWN_RUNS)
    .map((one) => [
      `  run ${one.run}`,
      one.planId.slice(0, 12),
      one.state,
      one.finishedAt ?? `since ${one.startedAt}`,
      `by ${one.byRole} on ${one.byHost}`,
    ]);
  for (const text of columns(rows)) say(terminal, text);
  const cutOff = history.find(({ state }) => state === 'applying' || state === 'rolling back');
  if (cutOff === undefined) return;
  const next =
    cutOff.state === 'applying'
      ? 'holdfast apply finishes it, holdfast rollback undoes it'
      : 'holdfast rollback finishes it';
  say(terminal, paint(terminal, 'yellow', `run ${cutOff.run} was cut off: ${next}`));
}

function showDrift(invocation: Invocation, found: Drift): void {
  const { terminal } = invocation;
  if (found.differences.length === 0) {
    say(terminal, 'drift     none: the server is what the definition says');
    return;
  }
  say(terminal, paint(terminal, 'yellow', `drift     ${counted(found.differences.length, 'difference')}`));
  for (const one of found.differences) say(terminal, `  ${one.sentence}`);
}

function machine(shown: string, history: readonly Run[], found: Drift): Record<string, unknown> {
  const ledger = history.map(({ plan: _plan, ...rest }) => rest);
  return { database: shown, ledger, drift: found };
}
