// Takes applied plans back, newest first, each step by the way back it was planned with. The same machinery and ledger
// as going forward: it can be cut off and goes on, and a plan that was cut off half-way goes back from where it was.
import type { Client } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, close, isSqlstate } from '../server/index.ts';
import { markDone, migrate, runs, setRunState, stepsOf, type Run, type StepRow } from '../ledger/index.ts';
import {
  applyDefaults,
  fingerprintIn,
  finishRun,
  readPlan,
  refuseLosses,
  withLease,
  type ApplyOptions,
} from './apply.ts';
import { isThere, runSteps, type Act, type Worker } from './run.ts';
import { openSession } from './session.ts';
import type { Loss, Plan, Step } from './step.ts';

/** Options of {@link rollback}. */
export interface RollbackOptions extends ApplyOptions {
  /** The plan that shall be in force afterwards, by id or its start; `previous`: whatever was before the newest. */
  readonly to: string;
}

/** What a rollback did. */
export interface RolledBack {
  /** Plans that were taken back, newest first. */
  readonly plans: readonly string[];
  /** Statements that ran. */
  readonly statements: number;
}

/**
 * Goes back to an earlier plan.
 * @param url the target, as for `apply`
 * @returns what was taken back
 * @throws HoldfastError HF_NOTHING_APPLIED when the ledger has nothing to take back; HF_UNKNOWN_PLAN when `to` is not in
 *   force; HF_NO_WAY_BACK naming the steps that cannot go back; HF_DATA_LOSS naming what was stored since and would be
 *   lost; HF_STALE_PLAN when the structure is not the one the newest plan ended in; and those of `apply` from a step
 */
export async function rollback(url: string, options: RollbackOptions): Promise<RolledBack> {
  const schema = options.ledgerSchema ?? applyDefaults.ledgerSchema;
  const client = await openSession(url, 'holdfast rollback');
  try {
    choose(await runs(client, schema), options.to);
    await migrate(client, schema);
    return await withLease({ client, url, schema, options }, async (worker) => {
      const chosen = choose(await runs(worker.client, schema), options.to);
      await refuseDrift(worker.client, chosen[0]);
      const ways = [];
      for (const run of chosen) ways.push(await wayOf(worker, run));
      refuseOneWay(ways);
      await refuseStored(worker.client, ways, options.allowDataLoss ?? []);
      let statements = 0;
      for (const way of ways) statements += await goBack(worker, way);
      return { plans: chosen.map(({ planId }) => planId), statements };
    });
  } finally {
    await close(client);
  }
}

/** The runs to take back, newest first. */
function choose(all: readonly Run[], to: string): readonly [Run, ...Run[]] {
  const inForce = all.filter(({ state }) => state !== 'rolled back');
  const [newest, ...older] = inForce;
  if (newest === undefined) {
    throw new HoldfastError({
      code: 'HF_NOTHING_APPLIED',
      subject: 'the ledger',
      what: 'no applied plan is there to take back.',
      fix: 'Nothing needs to be done.',
    });
  }
  if (to === 'previous') return [newest];
  const until = inForce.findIndex(({ planId }) => to !== '' && planId.startsWith(to));
  if (until > 0) return [newest, ...older.slice(0, until - 1)];
  throw new HoldfastError({
    code: 'HF_UNKNOWN_PLAN',
    subject: `plan ${to}`,
    what: until === 0 ? 'it is the newest one in force already.' : 'it is not in force in this database.',
    fix: `Name one of: ${older.map(({ planId }) => planId.slice(0, 12)).join(', ') || 'previous'}.`,
  });
}

async function refuseDrift(client: Client, newest: Run): Promise<void> {
  if (newest.state !== 'applied') return;
  if ((await fingerprintIn(client)) === readPlan(newest.plan).to) return;
  throw new HoldfastError({
    code: 'HF_STALE_PLAN',
    subject: `plan ${newest.planId.slice(0, 12)}`,
    what: 'the database has changed since it was applied, by hand or by a keeper (partitions made or archived), so its way back no longer fits.',
    fix: 'Undo what was changed by hand; after a keeper worked, plan the way to the wanted state instead: change the definition, `holdfast apply`.',
  });
}

/** One run with those of its steps that have to be undone. */
interface Way {
  readonly run: Run;
  readonly plan: Plan;
  /** Newest first. */
  readonly steps: readonly Step[];
}

async function wayOf(worker: Worker, run: Run): Promise<Way> {
  const plan = readPlan(run.plan);
  const rows = await stepsOf(worker.client, run.run, worker.schema);
  const done = new Set<number>();
  for (const row of rows.filter(({ direction }) => direction === 'forward')) {
    if (row.state === 'done' || (await settle(worker, { run, row, step: plan.steps[row.number - 1] })))
      done.add(row.number);
  }
  return { run, plan, steps: plan.steps.filter(({ number }) => done.has(number)).reverse() };
}

interface CutOff {
  readonly run: Run;
  readonly row: StepRow;
  readonly step: Step | undefined;
}

/** A statement outside transactions that was cut off: finished after all, or its remains are cleared. */
async function settle(worker: Worker, { run, row, step }: CutOff): Promise<boolean> {
  if (step === undefined || step.transactional) return false;
  if (await isThere(worker.client, step)) {
    await markDone(worker.client, worker.schema, { run: run.run, keys: [row] });
    return true;
  }
  for (const sql of step.cleanUp ?? []) await worker.client.query(sql);
  return step.doneWhen === undefined;
}

function refuseOneWay(ways: readonly Way[]): void {
  const stuck = ways.flatMap(({ steps }) => steps.filter(({ back }) => back === null));
  if (stuck.length === 0) return;
  throw new HoldfastError({
    code: 'HF_NO_WAY_BACK',
    subject: stuck.map(({ subject }) => subject).join(', '),
    what:
      stuck
        .map(
          ({ number, backReason }) =>
            `step ${number} cannot be undone: ${backReason ?? 'it has no way back'}`,
        )
        .join('; ') + '.',
    fix: 'Plan forward to the wanted state instead, or restore a backup.',
  });
}

async function refuseStored(client: Client, ways: readonly Way[], allowed: readonly string[]): Promise<void> {
  const losses: Loss[] = [];
  for (const loss of ways.flatMap(({ steps }) =>
    steps.flatMap(({ back }) => back ?? []).map(({ loses }) => loses ?? null),
  )) {
    if (loss === null || !(await holdsSomething(client, loss))) continue;
    losses.push(loss);
  }
  refuseLosses(losses, allowed);
}

// Row security that hides rows must not make them count for nothing: where it would, the probe fails, which counts as
// a loss. What is gone already (a rollback that goes on) can be lost no more.
async function holdsSomething(client: Client, loss: Loss): Promise<boolean> {
  if (loss.probe === undefined) return true;
  try {
    await client.query('BEGIN; SET LOCAL row_security = off');
    const { rows } = await client.query<{ lost: boolean }>(loss.probe);
    return rows[0]?.lost !== false;
  } catch (error) {
    if (isSqlstate(error, SQLSTATE.undefinedTable, SQLSTATE.undefinedColumn, SQLSTATE.invalidSchemaName))
      return false;
    if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) return true;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

async function goBack(worker: Worker, { run, steps }: Way): Promise<number> {
  if (run.state !== 'rolling back') {
    await setRunState(worker.client, worker.schema, { run: run.run, state: 'rolling back' });
  }
  const batches = backBatches(steps);
  await runSteps(worker, run.run, batches);
  await finishRun(worker, run.run, 'rolled back');
  return batches.flat().length;
}

/** The batches of a way back: what went in one transaction goes back in one, as far as its statements can. */
export function backBatches(steps: readonly Step[]): readonly (readonly Act[])[] {
  const batches: Act[][] = [];
  let last: number | undefined;
  for (const step of steps) {
    const group = step.group ?? -step.number;
    for (const act of backActs(step)) {
      const open = batches.at(-1);
      const together = last === group && act.transactional && act.lockTimeoutMs > 0;
      const joins =
        together && open?.every((other) => other.transactional && other.lockTimeoutMs > 0) === true;
      if (joins) open?.push(act);
      else batches.push([act]);
      last = group;
    }
  }
  return batches;
}

function backActs(step: Step): readonly Act[] {
  return (step.back ?? []).map((back, part): Act => ({
    key: { direction: 'back', number: step.number, part },
    sql: back.sql,
    subject: back.subject ?? step.subject,
    transactional: back.transactional,
    lockTimeoutMs: back.lockTimeoutMs ?? step.lockTimeoutMs,
    locks: back.lock !== 'NONE',
    ...(back.doneWhen === undefined ? {} : { doneWhen: back.doneWhen }),
    ...(back.cleanUp === undefined ? {} : { cleanUp: back.cleanUp }),
  }));
}
