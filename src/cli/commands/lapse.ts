// holdfast lapse: years of traffic and keeping on a scratch database, every simulated day held against the promises.
import { writeFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { HoldfastError } from '../../error.ts';
import {
  brokenLines,
  jobRows,
  lapse,
  lapseDefaults,
  type Lapse,
  type LapseOptions,
  relationRows,
  timeline,
  type Traffic,
  type Variant,
  variantOf,
  variants,
  verdict,
} from '../../prove/index.ts';
import { embedded } from '../../server/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { loadDefinition, type Loaded } from '../load.ts';
import { loadTraffic } from '../load-traffic.ts';
import { columns, paint, progress, say } from '../output.ts';

/** `holdfast lapse [DEFINITION]`. */
export const lapseCommand: Command = {
  name: 'lapse',
  summary: 'replay years of traffic and keeping on a scratch database; every simulated day is checked',
  usage:
    '[DEFINITION] [--from DAY] [--years N | --days N] [--rows-per-day N] [--seed N] [--variant NAME] [--traffic FILE] [--svg FILE] [--server URL] [--json]',
  options: {
    from: { type: 'string' },
    years: { type: 'string' },
    days: { type: 'string' },
    'rows-per-day': { type: 'string' },
    seed: { type: 'string' },
    variant: { type: 'string' },
    traffic: { type: 'string' },
    svg: { type: 'string' },
    server: { type: 'string' },
  },
  help: {
    from: 'first day, at midnight UTC; default 2026-01-15, or what the variant needs',
    years: 'how long; default: 3 for variant plain, what shows the trouble for the others',
    days: 'how long, in days',
    'rows-per-day': `rows a simulated day in all tables together; default ${lapseDefaults.rowsPerDay}`,
    seed: 'the same seed gives the same traffic and the same faults; default 1',
    variant: `what happens besides time: ${variants.map((one) => one.name).join(', ')}, or all; default plain`,
    traffic: 'the module that writes the rows; default: lapse.ts beside the definition',
    svg: 'write the timeline of partitions to this file',
    server: 'a server to make the scratch database on; default: an embedded one in a temporary folder',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const loaded = await loadDefinition(invocation.positionals[0], invocation.cwd);
  const chosen = readChoice(invocation);
  const found: Lapse[] = [];
  await withServer(invocation, async (serverUrl) => {
    for (const variant of chosen) {
      const traffic = await loadTraffic(text(invocation, 'traffic'), {
        cwd: invocation.cwd,
        beside: loaded.file,
      });
      const one = await replay(invocation, { loaded, traffic, variant, serverUrl });
      found.push(one);
      if (!flag(invocation, 'json')) show(invocation, one);
      await draw(invocation, one, chosen.length > 1);
    }
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(found.map(machine), null, 2));
  return found.every((one) => one.failures.length === 0) ? EXIT.done : EXIT.failed;
}

interface Matter {
  readonly loaded: Loaded;
  readonly traffic: Traffic;
  readonly variant: Variant;
  readonly serverUrl: string;
}

async function replay(
  invocation: Invocation,
  { loaded, traffic, variant, serverUrl }: Matter,
): Promise<Lapse> {
  const bar = progress(invocation.terminal);
  try {
    return await lapse(loaded.definition, traffic, {
      serverUrl,
      variant,
      ...span(invocation, variant),
      rowsPerDay: whole(invocation, 'rows-per-day') ?? lapseDefaults.rowsPerDay,
      seed: whole(invocation, 'seed') ?? lapseDefaults.seed,
      baseDir: loaded.baseDir,
      signal: invocation.signal,
      onDay: (day, days, now) => bar.show(`${variant.name} ${now.toISOString().slice(0, 10)}`, day, days),
    });
  } finally {
    bar.end();
  }
}

function readChoice(invocation: Invocation): readonly Variant[] {
  const name = text(invocation, 'variant') ?? 'plain';
  return name === 'all' ? variants : [variantOf(name)];
}

function span(invocation: Invocation, variant: Variant): Pick<LapseOptions, 'from' | 'days'> {
  const given = text(invocation, 'from') ?? variant.from ?? '2026-01-15';
  const from = new Date(`${given}T00:00:00Z`);
  const days = whole(invocation, 'days');
  const years = whole(invocation, 'years');
  if (days !== undefined || years === undefined) return { from, days: days ?? variant.days };
  const to = new Date(from);
  to.setUTCFullYear(to.getUTCFullYear() + years);
  return { from, days: Math.round((to.getTime() - from.getTime()) / 86_400_000) };
}

function whole(invocation: Invocation, option: string): number | undefined {
  const given = text(invocation, option);
  if (given === undefined) return undefined;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw new HoldfastError({
    code: 'HF_LAPSE_OPTIONS',
    subject: `--${option}`,
    what: `${given} is no whole number.`,
    fix: 'Give digits alone.',
  });
}

// Fast instead of durable: the server is gone afterwards.
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_wal_size: '4GB' };

async function withServer(invocation: Invocation, work: (url: string) => Promise<void>): Promise<void> {
  const given = text(invocation, 'server');
  if (given !== undefined) return work(given);
  const server = await embedded({ ephemeral: true, settings: SETTINGS });
  try {
    await work(server.url);
  } finally {
    await server.stop();
  }
}

function show({ terminal, positionals }: Invocation, one: Lapse): void {
  say(terminal, paint(terminal, one.failures.length === 0 ? 'green' : 'red', verdict(one)));
  for (const rows of [relationRows(one), jobRows(one)]) {
    if (rows.length === 1) continue;
    say(terminal);
    for (const line of columns(rows)) say(terminal, `  ${line}`);
  }
  say(terminal);
  for (const line of brokenLines(one, again(positionals[0], one))) say(terminal, line);
}

function again(definition: string | undefined, one: Lapse): string {
  const named = definition === undefined ? '' : ` ${definition}`;
  return `holdfast lapse${named} --variant ${one.variant} --from ${one.from.toISOString().slice(0, 10)} --days ${one.days} --rows-per-day ${one.rowsPerDay} --seed ${one.seed}`;
}

async function draw(invocation: Invocation, one: Lapse, several: boolean): Promise<void> {
  const file = text(invocation, 'svg');
  if (file === undefined) return;
  const ending = extname(file);
  const name = several ? `${file.slice(0, file.length - ending.length)}-${one.variant}${ending}` : file;
  await writeFile(resolve(invocation.cwd, name), timeline(one.picture));
  if (!flag(invocation, 'json')) say(invocation.terminal, `timeline written to ${name}`);
}

function machine(one: Lapse): Omit<Lapse, 'picture'> {
  return { ...one, picture: undefined } as Omit<Lapse, 'picture'>;
}
