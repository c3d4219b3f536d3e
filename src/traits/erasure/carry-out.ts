// One erasure from its registration to its end: pass after pass until one finds nothing, then what is left behind is cleaned.
import { HoldfastError } from '../../error.ts';
import { forgetElsewhere } from './caches.ts';
import { cleanUp } from './clean-up.ts';
import { sqlstate } from './failure.ts';
import { isSettled, type Request, requestOf } from './request.ts';
import { rowsOf } from './rows.ts';
import { forgotten, idOf, type Run } from './run.ts';

const PASSES = 60;
const WAIT_MS = 100;
const WAITS = 300;

/**
 * Carries a registered erasure out to its end. Killed anywhere, the next call goes on: what went is counted in the
 * transaction it went in, and the end is reached when a whole pass finds nothing that every transaction of before the
 * register had time to end in.
 * @throws HoldfastError HF_ERASURE_WAITING, HF_ERASURE_REFERENCED, and what keeps rows from going
 */
export async function carryOut(run: Run, forget: readonly string[]): Promise<Request> {
  await run.context.forget?.(forget);
  await untilNothingIsLeft(run);
  const request = await forgetElsewhere(run);
  return cleanUp(run, { request, forget });
}

async function untilNothingIsLeft(run: Run): Promise<void> {
  let [waits, blocked] = [0, 0];
  for (let number = 1; number <= PASSES;) {
    const settled = await everybodySees(run);
    const pass = await onePass(run, settled);
    if (pass.moved === 0 && pass.blocked === undefined && settled) return;
    if (pass.moved > 0) {
      [number, blocked] = [number + 1, 0];
      continue;
    }
    if (pass.blocked !== undefined && settled) {
      blocked += 1;
      if (blocked >= 3) throw referenced(run, pass.blocked);
    }
    waits += 1;
    if (waits > WAITS) throw stillOpen(run);
    await run.context.pause(WAIT_MS);
  }
  throw new HoldfastError({
    code: 'HF_ERASURE_MOVING',
    subject: `erasure of a ${run.subject.name}`,
    what: `rows of it kept coming for ${PASSES} passes.`,
    fix: 'Find out who writes them past the triggers (session_replication_role, a disabled trigger), then run it again.',
  });
}

interface Pass {
  readonly moved: number;
  /** A foreign key was in the way: rows came to point at what was to go. */
  readonly blocked?: unknown;
}

/**
 * One pass over all rules. Figures that promises compute wait until nobody can write to what they are computed from: a
 * change that is counted after its figure went would come out as less than nothing.
 */
async function onePass(run: Run, settled: boolean): Promise<Pass> {
  let moved = 0;
  let blocked: unknown;
  for (const rule of run.subject.rules) {
    if (rule.act === 'keep' || (rule.derived && (!settled || blocked !== undefined))) continue;
    const rows = rowsOf(run, rule);
    try {
      moved += await rows.sweep(rule.of);
    } catch (error) {
      if (sqlstate(error) !== '23503') throw error;
      blocked = error;
    }
    for (const { part, context } of run.parts) moved += (await part.erase?.(context, rows)) ?? 0;
  }
  return { moved, ...(blocked !== undefined && { blocked }) };
}

/**
 * Whether every transaction that wrote before the register was committed has ended: those since are refused. One that had
 * written nothing yet and reads an old snapshot (REPEATABLE READ) is not seen here; the job finds what it wrote.
 */
async function everybodySees(run: Run): Promise<boolean> {
  const request = await requestOf(run.context.pieces, idOf(run));
  if (request === undefined) throw forgotten(run);
  return isSettled(run.context.session.query, request);
}

function referenced(run: Run, cause: unknown): HoldfastError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError({
    code: 'HF_ERASURE_REFERENCED',
    subject: `erasure of a ${run.subject.name}`,
    what: `rows that are to go are pointed at by rows that stay: ${said}.`,
    fix: 'Declare the pointing table in the erasure: its rows go too, or lose the column that points.',
    cause,
  });
}

function stillOpen(run: Run): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_WAITING',
    subject: `erasure of a ${run.subject.name}`,
    what: 'a transaction that began before it was registered has not ended, and may still write rows of it.',
    fix: 'End that transaction; the job goes on by itself, or call holdfast erase again.',
  });
}
