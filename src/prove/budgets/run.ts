// One budget on one size: plans first, then times under load, then what the server counted meanwhile.
import type { Client as PgClient } from 'pg';
import type { FigureBudget, Percentile, TimeBudget, Turn } from '../../define/index.ts';
import { close, connect as openClient } from '../../server/index.ts';
import { connect, type Connected } from '../../use/index.ts';
import { disturbances, readCalm, type Calm } from './calm.ts';
import { cannotTell, telling, type Listener } from './capture.ts';
import { chanceOf, seedOf } from './chance.ts';
import { ratesBetween, readCounters, type Rates } from './counters.ts';
import type { Ground } from './ground.ts';
import { openLoop, type Answered } from './open-loop.ts';
import { classes, spread, type Spread } from './percentile.ts';
import { readFamily, type Told } from './plan-tree.ts';
import { judge, planLine, rowsOf, type Judged } from './requirement.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { Loaded } from './volume.ts';

/** What sessions of the application under measurement are called. */
export const APPLICATION_NAME = 'holdfast budget';

/** Plans of so many requests are looked at: more than the five after which PostgreSQL may plan for any value. */
const PLANNED_REQUESTS = 8;
const WARM_UP_REQUESTS = 100;
const WARM_UP_MS = 1_500;
/** Requests a connection answers before it counts, so that its plans and catalogue are there. */
const WARM_UP_EACH = 6;
const FIGURE_CONNECTIONS = 32;
/** Numbers of requests that are not measured begin here, so that none of them is asked again. */
const UNMEASURED = 1_000_000_000;

/** The plans of a budget, and what they must be like. */
export interface Planned {
  /** Why no plan could be seen; then nothing is judged. */
  readonly unseen?: string;
  readonly line: string;
  /** Rows a request gives or writes, of the last one looked at. */
  readonly rows: number;
  readonly judged: readonly Judged[];
}

/** The times of a budget, in milliseconds. */
export interface Timed {
  readonly latency: Spread;
  /** From sent to answered, without the wait for a free client. */
  readonly service: Spread;
  readonly classes: ReturnType<typeof classes>;
  readonly answeredPerSecond: number;
  readonly unserved: number;
  readonly failed: number;
  readonly firstError: string | null;
  readonly rates: Rates;
  /** p50 of a request that asks for nothing, before and after. */
  readonly nothing: readonly [before: number, after: number];
  readonly disturbances: readonly string[];
  /** Limits that were not kept. */
  readonly over: readonly Percentile[];
}

/** Where and how one budget is measured. */
export interface Site {
  readonly ground: Ground;
  readonly loaded: Loaded;
  readonly clock: Stopwatch;
  readonly signal?: AbortSignal | undefined;
}

/** The role a budget works as; undefined where the definition names none: then whoever built the database. */
export function roleOf(ground: Ground, budget: Pick<TimeBudget, 'role'>): string | undefined {
  return budget.role ?? ground.definition.traits.find((trait) => trait.session?.role)?.session?.role;
}

/** Connects as the budget's role for the time of `work`. */
export async function asApplication<T>(
  ground: Ground,
  how: {
    readonly role?: string | undefined;
    readonly connections?: number;
    readonly prepare?: boolean;
    readonly listener?: Listener;
  },
  work: (app: Connected) => Promise<T>,
): Promise<T> {
  const { role, connections = FIGURE_CONNECTIONS, prepare = false, listener } = how;
  const app = await connect(ground.definition, role === undefined ? ground.url : ground.urlAs(role), {
    maxConnections: connections,
    applicationName: APPLICATION_NAME,
    prepare,
    unsafeRole: role === undefined ? 'allow' : 'refuse',
    ...(listener !== undefined && { pool: { Client: listener.Client } }),
  });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/** Looks at the plans that the requests of a budget use: those chosen, or those possible without reading whole tables. */
export async function lookAtPlans(
  site: Site,
  budget: TimeBudget,
  plans: 'chosen' | 'possible',
): Promise<Planned> {
  const { ground } = site;
  const unseen = await cannotTell(ground);
  if (unseen !== undefined) return { unseen, line: '', rows: 0, judged: [] };
  const requests: (readonly Told[])[] = [];
  await telling(ground, plans, async (listener) =>
    asApplication(ground, { ...wayOf(site, budget), listener }, async (app) => {
      const request = requester(site, budget, app);
      listener.heard();
      for (let number = 0; number < PLANNED_REQUESTS; number += 1) {
        await request(UNMEASURED + number);
        requests.push(listener.heard());
      }
    }),
  );
  const family = await readFamily(ground.query);
  const last = requests.at(-1) ?? [];
  return {
    line: planLine(last, family),
    rows: rowsOf(last),
    judged: judge(budget.must, { requests, family }),
  };
}

/**
 * Measures the times of a budget. Errors of single requests are counted.
 * @throws what a request throws while the connections are warmed
 */
export async function takeTimes(site: Site, budget: TimeBudget): Promise<Timed> {
  const { ground, clock } = site;
  await asApplication(ground, wayOf(site, budget), async (app) => warmUp(requester(site, budget, app)));
  const before = await readCounters(ground.query, APPLICATION_NAME);
  const { answered, calm } = await asApplication(ground, wayOf(site, budget), async (app) => {
    const request = requester(site, budget, app);
    const warm = Array.from({ length: budget.clients * WARM_UP_EACH }, (_, at) => at);
    await Promise.all(warm.map((number) => request(UNMEASURED + WARM_UP_REQUESTS + number)));
    return withNothing(site, budget, async (client) => {
      const first = await readCalm(client, clock);
      const answered = await openLoop(arrivalsOf(site, budget), request);
      return { answered, calm: [first, await readCalm(client, clock)] as const };
    });
  });
  const after = await readCounters(ground.query, APPLICATION_NAME);
  return timesOf(budget, { answered, calm, rates: ratesBetween(before, after) });
}

/** Measures a figure. */
export async function takeFigure(site: Site, budget: FigureBudget): Promise<number> {
  const { ground, loaded } = site;
  const { definition, now, query } = ground;
  const role = roleOf(ground, {});
  return asApplication(ground, { role, prepare: true }, async (app) =>
    budget.measure({
      model: definition.model,
      query,
      app,
      now,
      chance: chanceOf(seedOf(budget.name), loaded.volume.seed),
      world: loaded.world,
    }),
  );
}

function wayOf({ ground }: Site, budget: TimeBudget) {
  return { role: roleOf(ground, budget), connections: budget.clients, prepare: budget.prepare };
}

type Request = (number: number) => Promise<unknown>;

function requester({ loaded }: Site, budget: TimeBudget, connected: Connected): Request {
  const app = budget.open === undefined ? connected : budget.open(connected);
  const seed = seedOf(budget.name) ^ loaded.volume.seed;
  const { world } = loaded;
  return async (number) => {
    const turn: Turn = { app, world, number, chance: chanceOf(seed, number) };
    return budget.run(turn);
  };
}

async function warmUp(request: Request): Promise<void> {
  const until = performance.now() + WARM_UP_MS;
  for (let number = 0; number < WARM_UP_REQUESTS && performance.now() < until; number += 1) {
    await request(UNMEASURED + PLANNED_REQUESTS + number);
  }
}

async function withNothing<T>(
  { ground }: Site,
  budget: TimeBudget,
  work: (client: PgClient) => Promise<T>,
): Promise<T> {
  const role = roleOf(ground, budget);
  const client = await openClient(role === undefined ? ground.url : ground.urlAs(role), {
    applicationName: APPLICATION_NAME,
  });
  try {
    return await work(client);
  } finally {
    await close(client);
  }
}

function arrivalsOf({ clock, signal }: Site, budget: TimeBudget) {
  const { ratePerSecond, clients, samples } = budget;
  // Twice the time the load takes, and five seconds: who has not been served by then is not keeping up.
  const graceMs = (2_000 * samples) / ratePerSecond + 5_000;
  return { ratePerSecond, clients, count: samples, graceMs, clock, signal };
}

function timesOf(
  budget: TimeBudget,
  seen: { readonly answered: Answered; readonly calm: readonly [Calm, Calm]; readonly rates: Rates },
): Timed {
  const { answered, calm, rates } = seen;
  const { latencies, services, unserved, failures, elapsedMs } = answered;
  const latency = spread(latencies);
  const limits = Object.entries(budget.limitsMs) as [Percentile, number][];
  const first = failures[0]?.error;
  return {
    latency,
    service: spread(services.filter((time) => !Number.isNaN(time))),
    classes: classes(latencies),
    answeredPerSecond: (1_000 * (latencies.length - unserved)) / elapsedMs,
    unserved,
    failed: failures.length,
    firstError: first === undefined ? null : first instanceof Error ? first.message : String(first),
    rates,
    nothing: [calm[0].stream.p50, calm[1].stream.p50],
    disturbances: disturbances(...calm),
    over: limits.filter(([percentile, ms]) => !(latency[percentile] <= ms)).map(([percentile]) => percentile),
  };
}
