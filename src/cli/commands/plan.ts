// holdfast plan: what would change, already rehearsed; nothing is changed.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { lossHelp, lossOptions } from '../carry-out.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { say } from '../output.ts';
import { showTraps, trapsBeside } from '../plan-traps.ts';
import { showPlan } from '../show-plan.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withPlan } from '../with-plan.ts';

/** `holdfast plan [DEFINITION]`. */
export const planCommand: Command = {
  name: 'plan',
  summary:
    'show what would change, each step with its lock and its way back; already rehearsed, nothing changed',
  usage:
    "[DEFINITION] [--url URL] [--out FILE] [--sql] [--check] [--traps] [--allow-data-loss 'table x.y'] [--json]",
  options: {
    ...targetOptions,
    ...lossOptions,
    out: { type: 'string' },
    sql: { type: 'boolean' },
    check: { type: 'boolean' },
    traps: { type: 'boolean' },
  },
  help: {
    ...targetHelp,
    out: 'write the plan to this file, for `holdfast apply --plan FILE`',
    sql: 'print every statement whole',
    check: 'exit with 3 when there is anything to do, or --traps finds any',
    traps: 'look for traps in the definition too: errors and warnings, a line each',
    ...lossHelp,
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withPlan(invocation, async (planned) => {
    const { plan } = planned;
    const out = text(invocation, 'out');
    const traps = flag(invocation, 'traps') ? await trapsBeside(invocation, planned) : undefined;
    const json = JSON.stringify(plan, null, 2);
    if (out !== undefined) await writeFile(resolve(invocation.cwd, out), `${json}\n`);
    if (flag(invocation, 'json'))
      say(invocation.terminal, traps === undefined ? json : JSON.stringify({ ...plan, traps }, null, 2));
    else {
      showPlan(invocation.terminal, plan, { sql: flag(invocation, 'sql') });
      if (traps !== undefined) showTraps(invocation.terminal, traps);
    }
    if (out !== undefined && !flag(invocation, 'json')) {
      say(invocation.terminal, `written to ${out}; apply it with: holdfast apply --plan ${out}`);
    }
    const anything = plan.steps.length > 0 || (traps?.findings.length ?? 0) > 0;
    return flag(invocation, 'check') && anything ? EXIT.differs : EXIT.done;
  });
}
