// holdfast up: a running database that is what the definition says, in one command.
import { once } from 'node:events';
import { hostname } from 'node:os';
import { HoldfastError } from '../../error.ts';
import { checkSchedules, keep } from '../../keep/index.ts';
import { carryOut, lossHelp, lossOptions } from '../carry-out.ts';
import { type Command, EXIT, flag, type Invocation, list } from '../command.ts';
import { say } from '../output.ts';
import { sayEvent } from '../show-jobs.ts';
import { losses } from '../show-plan.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { type Planned, withPlan } from '../with-plan.ts';
import { outcome } from './apply.ts';

/** `holdfast up [DEFINITION]`. */
export const upCommand: Command = {
  name: 'up',
  summary:
    'start the database (embedded unless --url or DATABASE_URL names one), plan, apply and keep it until Ctrl-C',
  usage: "[DEFINITION] [--url URL] [--once] [--no-keep] [--allow-data-loss 'table x.y'] [--json]",
  options: { ...targetOptions, ...lossOptions, once: { type: 'boolean' }, 'no-keep': { type: 'boolean' } },
  help: {
    ...targetHelp,
    once: 'leave when it is applied instead of staying',
    'no-keep': 'stay without running the jobs of the definition',
    ...lossHelp,
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withPlan(invocation, async (planned) => {
    refuseSilentLoss(invocation, planned);
    checkSchedules(planned.loaded.definition);
    const applied = await carryOut(invocation, planned.place.url, planned.plan);
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(machine(planned, applied.steps)));
    else describe(invocation, planned, outcome(invocation, planned.plan, applied));
    if (flag(invocation, 'once')) return EXIT.done;
    if (!flag(invocation, 'json')) say(invocation.terminal, 'Ctrl-C stops it.');
    await stay(invocation, planned);
    return EXIT.done;
  });
}

function refuseSilentLoss(invocation: Invocation, { plan }: Planned): void {
  const allowed = list(invocation, 'allow-data-loss');
  const lost = losses(plan).filter(({ object }) => !allowed.includes(object));
  const [first] = lost;
  if (first === undefined) return;
  throw new HoldfastError({
    code: 'HF_DATA_LOSS',
    subject: lost.map(({ object }) => object).join(', '),
    what: `bringing the database up would lose data for good: ${lost.map(({ what }) => what).join('; ')}.`,
    fix: `Look at it with \`holdfast plan\`; allow it with --allow-data-loss '${first.object}'.`,
  });
}

function describe(invocation: Invocation, { place }: Planned, sentence: string): void {
  say(invocation.terminal, sentence);
  say(invocation.terminal, `database  ${place.shown}`);
  if (place.embedded === undefined) return;
  const { version, dataDir } = place.embedded;
  say(invocation.terminal, `server    embedded PostgreSQL ${version}, data in ${dataDir}`);
  for (const note of place.notes) say(invocation.terminal, `          ${note}`);
}

function machine({ place, plan }: Planned, steps: number): Record<string, unknown> {
  return { database: place.shown, plan: plan.id, steps, embedded: place.embedded ?? null };
}

// One keeper among as many as there are: where another leads, this one waits.
async function stay(invocation: Invocation, { loaded, place }: Planned): Promise<void> {
  const { terminal, signal } = invocation;
  if (flag(invocation, 'no-keep') || loaded.definition.jobs.length === 0) return stopped(signal);
  const json = flag(invocation, 'json');
  await keep(loaded.definition, place.url, {
    name: `holdfast up, process ${process.pid} of ${hostname()}`,
    signal,
    onEvent: (event) => say(terminal, json ? JSON.stringify(event) : sayEvent(event)),
  });
}

// Waiting for a signal does not keep Node.js running; a timer does.
async function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const awake = setInterval(() => undefined, 60_000);
  try {
    await once(signal, 'abort');
  } finally {
    clearInterval(awake);
  }
}
