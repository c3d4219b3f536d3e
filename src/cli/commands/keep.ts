// holdfast keep: runs the jobs of a definition until it is stopped, or those that are due now.
import { hostname } from 'node:os';
import type { Definition } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { checkSchedules, keep, keepOnce, type KeepEvent, type KeepOptions } from '../../keep/index.ts';
import { withClient } from '../../server/index.ts';
import { serve, type Serving } from '../../watch/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { say } from '../output.ts';
import { sayEvent, sayRun } from '../show-jobs.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';

/** `holdfast keep [DEFINITION]`. */
export const keepCommand: Command = {
  name: 'keep',
  summary: 'run the jobs of the definition when they are due, until Ctrl-C; any number of keepers may run',
  usage:
    '[DEFINITION] [--url URL] [--once] [--name NAME] [--parallel N] [--scheduler pg_cron] [--metrics-port N] [--json]',
  options: {
    ...targetOptions,
    once: { type: 'boolean' },
    name: { type: 'string' },
    parallel: { type: 'string' },
    scheduler: { type: 'string' },
    'metrics-port': { type: 'string' },
    'metrics-host': { type: 'string' },
  },
  help: {
    ...targetHelp,
    once: 'run what is due now and leave',
    name: 'what status shows as who leads; default: the process number',
    parallel: 'how many jobs may run side by side; default 2',
    scheduler: 'pg_cron: let pg_cron run the jobs that are SQL alone; keeper: take them back from it',
    'metrics-port': 'serve Prometheus metrics at this port too',
    'metrics-host': 'the address to serve them at; default 127.0.0.1',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const port = wholeNumber(invocation, 'metrics-port');
  const parallel = wholeNumber(invocation, 'parallel');
  const scheduler = schedulerOf(invocation);
  return withTarget(invocation, async ({ loaded: { definition }, place }) => {
    checkSchedules(definition);
    const options: KeepOptions = {
      name: text(invocation, 'name') ?? `process ${process.pid} of ${hostname()}`,
      signal: invocation.signal,
      ...(parallel === undefined ? {} : { parallel }),
      ...(scheduler === undefined ? {} : { scheduler }),
    };
    if (flag(invocation, 'once')) return once(invocation, definition, { url: place.url, options });
    const serving = await serveMetrics(invocation, definition, { url: place.url, port });
    try {
      // A login that is refused is said before anything that sounds like work.
      await withClient(place.url, async () => undefined);
      if (!flag(invocation, 'json')) say(invocation.terminal, headline(definition, place.shown, serving));
      await keep(definition, place.url, { ...options, onEvent: (event) => tell(invocation, event) });
      return EXIT.done;
    } finally {
      await serving?.stop();
    }
  });
}

interface At {
  readonly url: string;
  readonly options: KeepOptions;
}

async function once(invocation: Invocation, definition: Definition, { url, options }: At): Promise<number> {
  const runs = await keepOnce(definition, url, options);
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify({ runs }, null, 2));
  else if (runs.length === 0) say(invocation.terminal, 'nothing was due, or another keeper leads');
  else for (const one of runs) say(invocation.terminal, sayRun(one));
  return runs.every(({ state }) => state === 'done') ? EXIT.done : EXIT.failed;
}

async function serveMetrics(
  invocation: Invocation,
  definition: Definition,
  { url, port }: { readonly url: string; readonly port: number | undefined },
): Promise<Serving | undefined> {
  if (port === undefined) return undefined;
  const host = text(invocation, 'metrics-host');
  return serve(definition, url, { port, ...(host === undefined ? {} : { host }) });
}

function headline(definition: Definition, shown: string, serving: Serving | undefined): string {
  const names = definition.jobs.map(({ name }) => name).join(', ');
  const metrics = serving === undefined ? '' : `; metrics at ${serving.url}`;
  return `keeps ${shown}: ${names === '' ? 'no jobs' : names}${metrics}. Ctrl-C stops it.`;
}

// For machines one JSON object a line, as a log has it.
function tell(invocation: Invocation, event: KeepEvent): void {
  say(invocation.terminal, flag(invocation, 'json') ? JSON.stringify(event) : sayEvent(event));
}

function wholeNumber(invocation: Invocation, name: string): number | undefined {
  const given = text(invocation, name);
  if (given === undefined) return undefined;
  const number = Number(given);
  if (/^\d+$/.test(given) && number >= 1 && number <= 65_535) return number;
  throw new HoldfastError({
    code: 'HF_NUMBER',
    subject: `--${name}`,
    what: `${JSON.stringify(given)} is no whole number from 1 to 65535.`,
    fix: `Give one: --${name} ${name === 'parallel' ? '2' : '9187'}.`,
  });
}

function schedulerOf(invocation: Invocation): 'keeper' | 'pg_cron' | undefined {
  const given = text(invocation, 'scheduler');
  if (given === undefined || given === 'keeper' || given === 'pg_cron') return given;
  throw new HoldfastError({
    code: 'HF_SCHEDULER',
    subject: '--scheduler',
    what: `${JSON.stringify(given)} is no scheduler.`,
    fix: 'Give pg_cron or keeper, or leave it out.',
  });
}
