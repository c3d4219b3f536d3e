// holdfast metrics: what a database is measured by, served to Prometheus or printed once.
import { HoldfastError } from '../../error.ts';
import { collect, families, serve, serveDefaults, text as metricsText } from '../../watch/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { type Planned, withTarget } from '../with-plan.ts';

/** Where Prometheus looks for it; free in Prometheus' list of ports of exporters. */
const PORT = 9864;

/** `holdfast metrics [DEFINITION]`. */
export const metricsCommand: Command = {
  name: 'metrics',
  summary: 'serve metrics of the database to Prometheus until Ctrl-C, or print them once; changes nothing',
  usage: '[DEFINITION] [--url URL] [--port N] [--host HOST] [--once] [--json]',
  options: {
    ...targetOptions,
    port: { type: 'string' },
    host: { type: 'string' },
    once: { type: 'boolean' },
  },
  help: {
    ...targetHelp,
    port: `where /metrics and /healthz are served; default: ${PORT}, 0 for any that is free`,
    host: `what to listen on; default: ${serveDefaults.host}. Nobody has to log in to read them`,
    once: 'print them once instead of serving them',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const port = portOf(text(invocation, 'port'));
  return withTarget(invocation, async (at) =>
    flag(invocation, 'once') ? once(invocation, at) : serving(invocation, { ...at, port }),
  );
}

async function once(invocation: Invocation, { loaded, place }: Omit<Planned, 'plan'>): Promise<number> {
  const { definition } = loaded;
  const found = await collect(definition, place.url, { now: invocation.now(), signal: invocation.signal });
  if (flag(invocation, 'json')) {
    // JSON has no infinity; Prometheus' own word for it stays readable.
    const samples = found.samples.map(({ value, ...of }) => ({
      ...of,
      value: Number.isFinite(value) ? value : value > 0 ? '+Inf' : '-Inf',
    }));
    say(invocation.terminal, JSON.stringify({ at: found.at, samples, notes: found.notes }, null, 2));
  } else invocation.terminal.out.write(await metricsText(families(definition), found));
  return found.notes.every((note) => note.denied) ? EXIT.done : EXIT.failed;
}

async function serving(
  invocation: Invocation,
  { loaded, place, port }: Omit<Planned, 'plan'> & { readonly port: number },
): Promise<number> {
  const host = text(invocation, 'host') ?? serveDefaults.host;
  const { url, stopped } = await serve(loaded.definition, place.url, {
    port,
    host,
    signal: invocation.signal,
    clock: { now: invocation.now },
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify({ url, database: place.shown }));
  else say(invocation.terminal, `metrics of ${place.shown} at ${url}; Ctrl-C stops it.`);
  await stopped;
  return EXIT.done;
}

function portOf(given: string | undefined): number {
  const port = given === undefined ? PORT : Number(given);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && given !== '') return port;
  throw new HoldfastError({
    code: 'HF_WATCH_PORT',
    subject: `port ${given ?? ''}`,
    what: 'that is no port.',
    fix: 'Give a whole number from 0 to 65535.',
  });
}
