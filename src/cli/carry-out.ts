// Applying for people: one moving line a step, and who blocks it while it waits.
import { apply, type Applied, type ApplyProgress, type Plan } from '../build/index.ts';
import type { Blocker } from '../build/index.ts';
import { HoldfastError } from '../error.ts';
import { type Invocation, list } from './command.ts';
import { progress } from './output.ts';

/** Option of every command that applies. */
export const lossOptions = { 'allow-data-loss': { type: 'string', multiple: true } } as const;

/** Its help. */
export const lossHelp = {
  'allow-data-loss':
    "the object whose data may go, as the plan names it: 'table shop.old'; may be given several times",
} as const;

/** Applies a plan with progress on stderr. Errors as `apply`. */
export async function carryOut(invocation: Invocation, url: string, plan: Plan): Promise<Applied> {
  const line = progress(invocation.terminal);
  try {
    return await apply(plan, url, {
      allowDataLoss: list(invocation, 'allow-data-loss'),
      onProgress: (at) => line.show(tell(at), at.step, at.of),
      onBoundary: () => refuseInterrupted(invocation.signal),
    });
  } finally {
    line.end();
  }
}

/** Stops between two statements when the user asked for it. */
export function refuseInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'this run',
    what: 'it was stopped between two steps; what was done stays.',
    fix: 'Go on with `holdfast apply`, or undo it with `holdfast rollback`.',
  });
}

/** One line of progress: the step's object, and while it waits, who is in its way. */
export function tell(at: ApplyProgress): string {
  if (at.state !== 'waiting' || at.waitingFor.length === 0) return at.subject;
  return `${at.subject}: waits for ${at.waitingFor.map(blocker).join(', ')}`;
}

function blocker(one: Blocker): string {
  return `pid ${one.pid} (${one.application || 'no application name'})`;
}
