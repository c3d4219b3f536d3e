// holdfast apply: carries a rehearsed plan out, or finishes one that was cut off.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Applied, type Plan, readPlan } from '../../build/index.ts';
import { HoldfastError } from '../../error.ts';
import { carryOut, lossHelp, lossOptions } from '../carry-out.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { cutOffPlan } from '../cut-off.ts';
import { hasDefinition } from '../load.ts';
import { counted, paint, say } from '../output.ts';
import { headline } from '../show-plan.ts';
import { findTarget, targetHelp, targetOptions } from '../target.ts';
import { makePlan, withTarget } from '../with-plan.ts';

/** `holdfast apply [DEFINITION]`. */
export const applyCommand: Command = {
  name: 'apply',
  summary:
    'carry out a plan (made now, or given), safe to interrupt: the next apply goes on where it was cut off',
  usage: "[DEFINITION] [--url URL] [--plan FILE] [--allow-data-loss 'table x.y'] [--json]",
  options: { ...targetOptions, ...lossOptions, plan: { type: 'string' } },
  help: { ...targetHelp, plan: 'a file written by `holdfast plan --out`', ...lossHelp },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const file = text(invocation, 'plan');
  const given = file === undefined ? undefined : await readPlanFile(resolve(invocation.cwd, file));
  const alone = invocation.positionals[0] === undefined && !hasDefinition(invocation.cwd);
  if (given !== undefined && alone) return applyAlone(invocation, given);
  return withTarget(invocation, async ({ loaded, place }) => {
    const done: Applied[] = [];
    const cutOff = given === undefined ? await cutOffPlan(place.url) : undefined;
    if (cutOff !== undefined) done.push(await carry(invocation, place.url, cutOff));
    const plan = given ?? (await makePlan(invocation, { loaded, place }));
    if (plan.steps.length > 0 || cutOff === undefined) done.push(await carry(invocation, place.url, plan));
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify({ applied: done }, null, 2));
    return done.every((one) => one.endsAsPlanned) ? EXIT.done : EXIT.failed;
  });
}

/** A plan stands for itself: what mends a database without a definition is applied without one. */
async function applyAlone(invocation: Invocation, plan: Plan): Promise<number> {
  const place = await findTarget(invocation, plan.database);
  try {
    const applied = await carry(invocation, place.url, plan);
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify({ applied: [applied] }, null, 2));
    return applied.endsAsPlanned ? EXIT.done : EXIT.failed;
  } finally {
    await place.leave();
  }
}

async function carry(invocation: Invocation, url: string, plan: Plan): Promise<Applied> {
  const quiet = flag(invocation, 'json');
  if (!quiet && plan.steps.length > 0) say(invocation.terminal, headline(plan));
  const applied = await carryOut(invocation, url, plan);
  if (!quiet) say(invocation.terminal, outcome(invocation, plan, applied));
  return applied;
}

/** One sentence on what an apply did. */
export function outcome(invocation: Invocation, plan: Plan, applied: Applied): string {
  const id = plan.id.slice(0, 12);
  if (applied.already) return `plan ${id} was in force already; nothing was done`;
  if (applied.run === null) return `${plan.database}: nothing to do`;
  const how = applied.resumed ? 'was cut off before and is finished now' : 'is applied';
  const sentence = `plan ${id} ${how}: ${counted(applied.steps, 'step')}, run ${applied.run} of the ledger`;
  if (applied.endsAsPlanned) return sentence;
  const warning = `${sentence}; but the structure is not the one it was rehearsed to end in: see holdfast status`;
  return paint(invocation.terminal, 'yellow', warning);
}

async function readPlanFile(path: string): Promise<Plan> {
  try {
    return readPlan(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError({
      code: 'HF_PLAN_FILE',
      subject: path,
      what: `it cannot be read as a plan: ${error instanceof Error ? error.message : String(error)}.`,
      fix: 'Write one with `holdfast plan --out FILE`.',
      cause: error,
    });
  }
}
