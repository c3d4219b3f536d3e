// Applies a rehearsed plan to the real database. Safe to cut off anywhere: the next apply of the same plan goes on.
import type { Client } from 'pg';
import { HoldfastError } from '../error.ts';
import { close, majorOf, serverVersion } from '../server/index.ts';
import {
  hasLedger,
  lastApplied,
  leaseDefaults,
  leaseHeld,
  ledgerDefaults,
  migrate,
  openRun,
  releaseLease,
  setRunState,
  stepsOf,
  takeLease,
  unfinishedRun,
  type Lease,
  type Run,
  type RunState,
} from '../ledger/index.ts';
import { dumpIn } from './catalogue-dump.ts';
import { fingerprintOf } from './fingerprint.ts';
import { runSteps, writeFenced, type Act, type RunOptions, type Worker } from './run.ts';
import { openSession } from './session.ts';
import type { Loss, Plan, Step } from './step.ts';
import { systemClock, type Clock } from './waiting.ts';
import { watch } from './watch.ts';

/** Options of {@link apply} and `rollback`. */
export interface ApplyOptions extends Partial<Pick<RunOptions, 'onProgress' | 'onBoundary' | 'patienceMs'>> {
  /** Objects whose data may be lost, each as the plan names it: `table shop.old`, `column shop.orders.note`. */
  readonly allowDataLoss?: readonly string[];
  /**
   * Where the ledger lives. It is made when it is not there; a schema made beforehand must have a comment that begins
   * with `Ledger of Holdfast:`, or it counts as the user's.
   */
  readonly ledgerSchema?: string;
  /** How long to wait for another run to end before refusing, in milliseconds. */
  readonly leaseWaitMs?: number;
  /** After how long a silent holder of the lease is cut off, in milliseconds. */
  readonly leaseExpiresMs?: number;
  /** Fingerprint of the definition the plan came from; kept in the ledger for drift. */
  readonly definition?: string;
  readonly clock?: Clock;
}

/** Defaults of {@link ApplyOptions}. */
export const applyDefaults = {
  ledgerSchema: ledgerDefaults.schema,
  leaseWaitMs: leaseDefaults.waitMs,
  leaseExpiresMs: leaseDefaults.expiresMs,
  patienceMs: 600_000,
} as const;

/** What an apply did. */
export interface Applied {
  readonly planId: string;
  /** Number of the run in the ledger; null when there was nothing to do. */
  readonly run: string | null;
  readonly steps: number;
  /** The plan had been cut off before and was finished now. */
  readonly resumed: boolean;
  /** The plan was in force already; nothing was done. */
  readonly already: boolean;
  /** Whether the structure is now the one the plan was rehearsed to end in. */
  readonly endsAsPlanned: boolean;
}

/**
 * Applies a plan.
 * @param url the target; a direct connection, since some statements cannot run behind a transaction pooler
 * @returns what was done
 * @throws HoldfastError HF_PLAN_FORMAT when the value is no plan; HF_PLAN_SERVER for a server of another major;
 *   HF_STALE_PLAN when the target changed since the plan was made; HF_DATA_LOSS naming what would be lost;
 *   HF_APPLY_RUNNING naming another run; HF_UNFINISHED when another plan was cut off here;
 *   HF_STEP_FAILED, HF_LOCK_WAIT, HF_LEASE_LOST from a step (what was done stays, and can be resumed or rolled back)
 */
export async function apply(plan: Plan, url: string, options: ApplyOptions = {}): Promise<Applied> {
  const checked = readPlan(plan);
  refuseLosses(
    checked.steps.flatMap(({ loses }) => (loses === null ? [] : [loses])),
    options.allowDataLoss ?? [],
  );
  const schema = options.ledgerSchema ?? applyDefaults.ledgerSchema;
  const client = await openSession(url, 'holdfast apply');
  try {
    await refuseOtherServer(client, checked);
    // Without a ledger there is no lease to ask under, and a refusal must not leave one behind.
    if (!(await hasLedger(client, schema))) await standing(client, checked, schema);
    if (checked.steps.length === 0) return nothing(checked, false);
    await migrate(client, schema);
    return await withLease({ client, url, schema, options }, async (worker) => {
      await forgetUnbegun(worker, checked);
      const now = await standing(worker.client, checked, schema);
      if (now === 'already') return nothing(checked, true);
      return await carryOut(worker, checked, { options, unfinished: now });
    });
  } finally {
    await close(client);
  }
}

// A run that failed before it changed anything must not keep other plans out.
async function forgetUnbegun(worker: Worker, plan: Plan): Promise<void> {
  const { client, schema } = worker;
  const unfinished = await unfinishedRun(client, schema);
  if (unfinished?.state !== 'applying' || unfinished.planId === plan.id) return;
  const { steps } = readPlan(unfinished.plan);
  const rows = await stepsOf(client, unfinished.run, schema);
  const begun = rows.some(
    ({ state, number }) => state === 'done' || steps[number - 1]?.transactional !== true,
  );
  if (!begun) await finishRun(worker, unfinished.run, 'rolled back');
}

async function carryOut(
  worker: Worker,
  plan: Plan,
  { options, unfinished }: { readonly options: ApplyOptions; readonly unfinished: Run | undefined },
): Promise<Applied> {
  const { schema } = worker;
  const run =
    unfinished?.run ??
    (await openRun(worker.client, schema, { planId: plan.id, definition: options.definition, plan }));
  await runSteps(worker, run, forwardBatches(plan.steps));
  await finishRun(worker, run, 'applied');
  return {
    planId: plan.id,
    run,
    steps: plan.steps.length,
    resumed: unfinished !== undefined,
    already: false,
    endsAsPlanned: (await fingerprintIn(worker.client)) === plan.to,
  };
}

/** Closes a run, unless another took over meanwhile. */
export async function finishRun(worker: Worker, run: string, state: RunState): Promise<void> {
  await writeFenced(worker, () => setRunState(worker.client, worker.schema, { run, state }));
}

function nothing(plan: Plan, already: boolean): Applied {
  return { planId: plan.id, run: null, steps: 0, resumed: false, already, endsAsPlanned: true };
}

/** Whether the plan may run here: undefined to start, a run to resume, or 'already'. */
async function standing(client: Client, plan: Plan, schema: string): Promise<Run | undefined | 'already'> {
  if (await hasLedger(client, schema)) {
    const unfinished = await unfinishedRun(client, schema);
    if (unfinished !== undefined && (unfinished.planId !== plan.id || unfinished.state !== 'applying')) {
      throw cutOff(unfinished);
    }
    if (unfinished !== undefined) return unfinished;
  }
  const now = await fingerprintIn(client);
  if (now === plan.from) return undefined;
  const last = await lastApplied(client, schema);
  if (last?.planId === plan.id && now === plan.to) return 'already';
  throw new HoldfastError({
    code: 'HF_STALE_PLAN',
    subject: `plan ${plan.id.slice(0, 12)}`,
    what: 'the database has changed since the plan was made.',
    fix: 'Make a new plan and apply that.',
  });
}

function cutOff(run: Run): HoldfastError {
  const verb = run.state === 'applying' ? 'applied' : 'rolled back';
  return new HoldfastError({
    code: 'HF_UNFINISHED',
    subject: `plan ${run.planId.slice(0, 12)}`,
    what: `it was being ${verb} by ${run.byHost} since ${run.startedAt} and was cut off.`,
    fix:
      run.state === 'applying'
        ? 'Finish it (holdfast apply) or undo it (holdfast rollback) first.'
        : 'Finish going back (holdfast rollback) first.',
  });
}

/** The structure's fingerprint as this session sees it. */
export async function fingerprintIn(client: Client): Promise<string> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  try {
    return fingerprintOf(await dumpIn(client));
  } finally {
    await client.query('ROLLBACK');
  }
}

async function refuseOtherServer(client: Client, plan: Plan): Promise<void> {
  const version = await serverVersion(client);
  if (majorOf(version) === majorOf(plan.serverVersion)) return;
  throw new HoldfastError({
    code: 'HF_PLAN_SERVER',
    subject: `plan ${plan.id.slice(0, 12)}`,
    what: `it was made for PostgreSQL ${majorOf(plan.serverVersion)}, and this server is ${majorOf(version)}.`,
    fix: 'Make a plan against this server.',
  });
}

/** Refuses what would be lost without the user's word for each object. */
export function refuseLosses(losses: readonly Loss[], allowed: readonly string[]): void {
  const refused = losses.filter(({ object }) => !allowed.includes(object));
  if (refused.length === 0) return;
  const objects = [...new Set(refused.map(({ object }) => object))];
  const said = new Set(refused.map(({ object, what }) => `${what} (${object})`));
  throw new HoldfastError({
    code: 'HF_DATA_LOSS',
    subject: objects.join(', '),
    what: `this would be lost for good: ${[...said].join('; ')}.`,
    fix: `Allow it by name if that is meant: ${objects.map((object) => `--allow-data-loss '${object}'`).join(' ')}.`,
  });
}

/** What {@link withLease} needs. */
export interface LeaseRequest {
  readonly client: Client;
  readonly url: string;
  readonly schema: string;
  readonly options: ApplyOptions;
}

/**
 * Runs `work` as the only one who changes this database.
 * @throws HoldfastError HF_APPLY_RUNNING when another run goes on longer than `leaseWaitMs`
 */
export async function withLease<T>(request: LeaseRequest, work: (worker: Worker) => Promise<T>): Promise<T> {
  const { client, url, schema, options } = request;
  const lease = await leaseInTime(request);
  const run: RunOptions = {
    clock: options.clock ?? systemClock,
    patienceMs: options.patienceMs ?? applyDefaults.patienceMs,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.onBoundary === undefined ? {} : { onBoundary: options.onBoundary }),
  };
  const watcher = await watch(url, client, lease);
  const worker: Worker = { url, schema, options: run, client, lease, watcher };
  try {
    const result = await work(worker);
    await releaseLease(worker.client, worker.lease);
    return result;
  } finally {
    await worker.watcher.stop();
    // The session ends with the lease; the one that was given is the caller's.
    if (worker.client !== client) await close(worker.client);
  }
}

const POLL_MS = 250;

async function leaseInTime({ client, schema, options }: LeaseRequest): Promise<Lease> {
  const clock = options.clock ?? systemClock;
  const waitMs = options.leaseWaitMs ?? applyDefaults.leaseWaitMs;
  const since = clock.nowMs();
  for (;;) {
    const taken = await takeLease(client, {
      schema,
      expiresMs: options.leaseExpiresMs ?? applyDefaults.leaseExpiresMs,
    });
    if ('lease' in taken) return taken.lease;
    if (clock.nowMs() - since >= waitMs) throw leaseHeld(taken.heldBy);
    await clock.sleep(POLL_MS);
  }
}

/** The batches of a way forward: one transaction a group, each other step by itself. */
export function forwardBatches(steps: readonly Step[]): readonly (readonly Act[])[] {
  const batches: Act[][] = [];
  let group: number | undefined;
  for (const step of steps) {
    const act = actOf(step);
    const open = batches.at(-1);
    if (open !== undefined && step.group !== undefined && step.group === group) open.push(act);
    else batches.push([act]);
    group = step.group;
  }
  return batches;
}

function actOf(step: Step): Act {
  return {
    key: { direction: 'forward', number: step.number, part: 0 },
    sql: step.sql,
    subject: step.subject,
    transactional: step.transactional,
    lockTimeoutMs: step.lockTimeoutMs,
    locks: step.lock !== 'NONE',
    ...(step.doneWhen === undefined ? {} : { doneWhen: step.doneWhen }),
    ...(step.cleanUp === undefined ? {} : { cleanUp: step.cleanUp }),
  };
}

/** A plan read from a file may be anything; what runs must have the form of one. */
export function readPlan(value: unknown): Plan {
  const plan = value as Partial<Plan> | null;
  const texts = [plan?.id, plan?.from, plan?.to, plan?.database];
  const whole =
    plan?.formatVersion === 1 &&
    texts.every((text) => typeof text === 'string') &&
    typeof plan.serverVersion === 'number' &&
    Array.isArray(plan.steps) &&
    plan.steps.every(isStep);
  if (whole) return value as Plan;
  throw new HoldfastError({
    code: 'HF_PLAN_FORMAT',
    subject: 'the plan',
    what: 'it is not a plan of a form this release knows.',
    fix: 'Make it anew with this release: holdfast plan --out plan.json.',
  });
}

function isStep(value: unknown, at: number): boolean {
  const step = value as Partial<Step> | null;
  return (
    step?.number === at + 1 &&
    typeof step.sql === 'string' &&
    typeof step.subject === 'string' &&
    typeof step.transactional === 'boolean' &&
    typeof step.lockTimeoutMs === 'number' &&
    (step.back === null || Array.isArray(step.back))
  );
}
