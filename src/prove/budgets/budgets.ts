// Budgets, measured: each volume in a database of its own, grown from the smallest size that is asked for to the largest.
import { refuseAborted } from '../../build/scratch.ts';
import type { Budget, Definition, FigureBudget, TimeBudget, Volume } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import type { ProofProgress, Verdict } from '../evidence.ts';
import { withGround, type Ground } from './ground.ts';
import { describeMachine } from './machine.ts';
import {
  asApplication,
  lookAtPlans,
  roleOf,
  takeFigure,
  takeTimes,
  type Planned,
  type Site,
  type Timed,
} from './run.ts';
import { stopwatch, type Stopwatch } from './stopwatch.ts';
import { beginVolume, growVolume, type Loaded } from './volume.ts';

/** What is measured, and where. */
export interface BudgetsOptions {
  readonly definition: Definition;
  /** A server, as a superuser, to make a scratch database on; absent: an embedded one in a temporary folder. */
  readonly url?: string;
  /** Sizes as multiples of what each budget states, shown side by side; default 1. */
  readonly scale?: number | readonly number[];
  /** Names of budgets; default all. */
  readonly only?: readonly string[];
  /** False: plans and figures alone, no times. For tests: nothing of it depends on how busy the machine is. */
  readonly times?: boolean;
  /**
   * `chosen`: the plans the server chooses, which on little data rightly read small tables from end to end. `possible`:
   * those it has when it avoids that wherever an index can be used at all; for tests on little data. Default `chosen`.
   */
  readonly plans?: 'chosen' | 'possible';
  /** Folder that relative globs of the definition's SQL files start in. */
  readonly baseDir?: string;
  readonly now: Date;
  readonly clock?: Stopwatch;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ProofProgress) => void;
}

interface MeasuredBase {
  readonly scale: number;
  /** Rows by kind that there were: at least those the budget asks for. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly verdict: Verdict;
  /** Why it is not held; empty where it is. */
  readonly why: readonly string[];
  /** How the document's own target stands; null where it names no number, or nothing was measured. */
  readonly document: 'met' | 'missed' | 'not told' | null;
}

/** A time budget on one size. */
export interface MeasuredTime extends MeasuredBase {
  readonly budget: TimeBudget;
  /** Null where the definition names none: it is measured as whoever built the database. */
  readonly role: string | null;
  /** How the role came in: `logged in`. */
  readonly wayIn: string;
  readonly planned: Planned | null;
  readonly timed: Timed | null;
}

/** A figure on one size. */
export interface MeasuredFigure extends MeasuredBase {
  readonly budget: FigureBudget;
  readonly value: number | null;
}

/** Everything that was measured. */
export interface Measured {
  readonly results: readonly (MeasuredTime | MeasuredFigure)[];
  /** How the volumes were loaded, one line a growth. */
  readonly loads: readonly string[];
  readonly machine: readonly string[];
  readonly durationMs: number;
}

/**
 * Measures the budgets of a definition. The server gets a scratch database and the roles it lacks, both gone afterwards;
 * nothing else on it is written.
 * @throws HoldfastError HF_BUDGETS when the definition has none, or none of the names asked for; HF_BUDGET_SERVER;
 *   HF_BUDGET_VOLUME when rows cannot be loaded; HF_INTERRUPTED
 */
export async function proveBudgets(options: BudgetsOptions): Promise<Measured> {
  const began = performance.now();
  const steps = stepsOf(options);
  const measured = {
    results: [] as Measured['results'][number][],
    loads: [] as string[],
    machine: [] as string[],
  };
  const volumes = [...new Set(steps.map(({ budget }) => budget.data))];
  let done = 0;
  const tell = (doing: string): void =>
    options.onProgress?.({ proof: 'budgets', doing, done, of: steps.length });
  for (const volume of volumes) {
    tell(`building ${options.definition.name}`);
    await withGround(options, async (ground) => {
      if (measured.machine.length === 0) measured.machine.push(...(await describeMachine(ground.query)));
      let loaded = await loading(ground, volume, { options, tell });
      for (const step of steps.filter(({ budget }) => budget.data === volume)) {
        loaded = await loaded.grow(step);
        if (loaded.said !== undefined) measured.loads.push(loaded.said);
        refuseAborted(options.signal);
        tell(`measuring ${step.budget.name} at ${step.scale} ×`);
        measured.results.push(await measure(siteOf(ground, loaded.loaded, options), step, options));
        done += 1;
      }
    });
  }
  tell('done');
  return { ...measured, durationMs: Math.round(performance.now() - began) };
}

/** One budget on one size. */
interface Step {
  readonly budget: Budget;
  readonly scale: number;
  readonly sizes: Readonly<Record<string, number>>;
}

/** Smallest first, because volumes only grow; the user's order where sizes are the same. */
function stepsOf({ definition, scale = 1, only }: BudgetsOptions): readonly Step[] {
  const all = definition.proofs.budgets;
  const chosen = all.filter((budget) => only?.includes(budget.name) ?? true);
  const unknown = (only ?? []).filter((name) => !all.some((budget) => budget.name === name));
  if (chosen.length === 0 || unknown.length > 0) throw none(definition, unknown);
  const scales = [...new Set([scale].flat())].sort((a, b) => a - b);
  const steps = scales.flatMap((scale) =>
    chosen.map((budget) => ({ budget, scale, sizes: sizesOf(budget, { all, scale }) })),
  );
  return steps
    .map((step, place) => ({ step, place, rows: rowsIn(step) }))
    .sort((a, b) => a.step.scale - b.step.scale || a.rows - b.rows || a.place - b.place)
    .map(({ step }) => step);
}

/** What a budget does not name is there all the same, in the smallest size that any budget on the volume names. */
function sizesOf(
  budget: Budget,
  by: { readonly all: readonly Budget[]; readonly scale: number },
): Readonly<Record<string, number>> {
  const sharing = by.all.filter((other) => other.data === budget.data);
  const sizes = Object.keys(budget.data.rows).flatMap((kind) => {
    const named = sharing.flatMap((other) => other.at[kind] ?? []);
    const rows = budget.at[kind] ?? (named.length === 0 ? 0 : Math.min(...named));
    return rows === 0 ? [] : [[kind, Math.max(1, Math.round(rows * by.scale))] as const];
  });
  return Object.fromEntries(sizes);
}

function rowsIn({ sizes }: Step): number {
  return Object.values(sizes).reduce((sum, rows) => sum + rows, 0);
}

function none(definition: Definition, unknown: readonly string[]): HoldfastError {
  const names = definition.proofs.budgets.map((budget) => budget.name);
  return new HoldfastError({
    code: 'HF_BUDGETS',
    subject: `definition ${definition.name}`,
    what: unknown.length > 0 ? `it has no budget ${unknown.join(', ')}.` : 'it states no budgets.',
    fix:
      names.length > 0
        ? `Its budgets are ${names.join(', ')}.`
        : 'Add budgets(…) of holdfast/traits to its traits.',
  });
}

interface Growing {
  readonly loaded: Loaded;
  /** How the last growth went, where there was one. */
  readonly said?: string;
  readonly grow: (step: Step) => Promise<Growing>;
}

async function loading(
  ground: Ground,
  volume: Volume,
  { options, tell }: { readonly options: BudgetsOptions; readonly tell: (doing: string) => void },
): Promise<Growing> {
  const withApp = <T>(work: (app: unknown) => Promise<T>): Promise<T> =>
    asApplication(ground, { role: roleOf(ground, {}) }, work);
  const from = (loaded: Loaded, said?: string): Growing => ({
    loaded,
    ...(said !== undefined && { said }),
    grow: async ({ sizes }) => {
      const larger = Object.entries(sizes).some(([kind, rows]) => rows > (loaded.sizes[kind] ?? 0));
      if (!larger) return from(loaded);
      const grown = await withApp((app) =>
        growVolume(ground, { loaded, sizes }, { app, tell, signal: options.signal }),
      );
      return from(grown, `${volume.name}: ${grown.said}`);
    },
  });
  return withApp(async (app) =>
    from(await beginVolume(ground, volume, { app, tell, signal: options.signal })),
  );
}

function siteOf(ground: Ground, loaded: Loaded, options: BudgetsOptions): Site {
  return { ground, loaded, clock: options.clock ?? stopwatch, signal: options.signal };
}

async function measure(
  site: Site,
  { budget, scale }: Step,
  options: BudgetsOptions,
): Promise<MeasuredTime | MeasuredFigure> {
  const base = { scale, sizes: site.loaded.sizes };
  if (budget.kind === 'figure') return { ...base, ...(await measureFigure(site, budget)) };
  return { ...base, ...(await measureTime(site, budget, options)) };
}

async function measureFigure(
  site: Site,
  budget: FigureBudget,
): Promise<Omit<MeasuredFigure, 'scale' | 'sizes'>> {
  const value = await takeFigure(site, budget).catch((error: unknown) => sayError(error));
  if (typeof value === 'string')
    return { budget, value: null, verdict: 'broken', why: [value], document: null };
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = budget;
  const why = [
    ...(value > atMost ? [`it is more than ${atMost}`] : []),
    ...(value < atLeast ? [`it is less than ${atLeast}`] : []),
  ];
  const document = standing(budget.document, value, false);
  return { budget, value, verdict: why.length === 0 ? 'held' : 'broken', why, document };
}

async function measureTime(
  site: Site,
  budget: TimeBudget,
  options: BudgetsOptions,
): Promise<Omit<MeasuredTime, 'scale' | 'sizes'>> {
  const role = roleOf(site.ground, budget) ?? null;
  const wayIn = role === null ? 'as who built the database' : site.ground.wayIn(role);
  const base = { budget, role, wayIn, planned: null, timed: null, document: null };
  const planned = await lookAtPlans(site, budget, options.plans ?? 'chosen').catch((error: unknown) =>
    sayError(error),
  );
  if (typeof planned === 'string') return { ...base, verdict: 'broken', why: [planned] };
  if (options.times === false) return { ...base, planned, ...judged(budget, planned, null) };
  const timed = await takeTimes(site, budget).catch((error: unknown) => sayError(error));
  refuseAborted(options.signal);
  if (typeof timed === 'string') return { ...base, planned, verdict: 'broken', why: [timed] };
  const limited = timed.latency[firstLimit(budget)];
  const document = standing(budget.document, limited, timed.disturbances.length > 0);
  return { ...base, planned, timed, ...judged(budget, planned, timed), document };
}

/** The percentile that a document's target is compared with: the first that the budget limits, else p95. */
export function firstLimit(budget: TimeBudget): 'p50' | 'p95' | 'p99' {
  return (['p95', 'p50', 'p99'] as const).find((one) => budget.limitsMs[one] !== undefined) ?? 'p95';
}

function standing(document: Budget['document'], value: number, noisy: boolean): MeasuredBase['document'] {
  if (document?.atMost === undefined && document?.atLeast === undefined) return null;
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = document;
  if (value <= atMost && value >= atLeast) return 'met';
  return noisy ? 'not told' : 'missed';
}

/** A busy machine makes times longer, never shorter: what is kept on one is kept, what is not is not known. */
function judged(
  budget: TimeBudget,
  planned: Planned,
  timed: Timed | null,
): { verdict: Verdict; why: readonly string[] } {
  const broken = planned.judged
    .filter((one) => !one.held)
    .map((one) => `its plan breaks "${one.said}": ${one.seen}`);
  if (timed !== null && timed.failed > 0) {
    broken.push(`${timed.failed} requests failed: ${timed.firstError ?? ''}`);
  }
  const slow = [
    ...(timed?.over ?? []).map((percentile) => `${percentile} is over its budget`),
    ...(timed !== null && timed.unserved > 0
      ? [`${timed.unserved} requests were never served: it does not keep up`]
      : []),
  ];
  const disturbed = slow.length > 0 ? (timed?.disturbances ?? []) : [];
  // Plans that nobody saw are no plans that hold.
  const unseen = budget.must.length > 0 && planned.unseen !== undefined ? [planned.unseen] : [];
  const why = [...broken, ...slow, ...disturbed, ...unseen];
  if (broken.length > 0) return { verdict: 'broken', why };
  if (slow.length > 0) return { verdict: disturbed.length > 0 ? 'noisy' : 'broken', why };
  const shown = timed !== null || planned.judged.length > 0;
  return { verdict: shown && unseen.length === 0 ? 'held' : 'not shown', why };
}

function sayError(error: unknown): string {
  if (error instanceof HoldfastError && error.code === 'HF_INTERRUPTED') throw error;
  return error instanceof Error ? error.message : String(error);
}
