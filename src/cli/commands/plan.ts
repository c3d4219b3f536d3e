// holdfast plan: what would change, already rehearsed; nothing is changed.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { lossHelp, lossOptions } from '../carry-out.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { say } from '../output.ts';
import { showPlan } from '../show-plan.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withPlan } from '../with-plan.ts';

/** `holdfast plan [DEFINITION]`. */
export const planCommand: Command = {
  name: 'plan',
  summary:
    'show what would change, each step with its lock and its way back; already rehearsed, nothing changed',
  usage: "[DEFINITION] [--url URL] [--out FILE] [--sql] [--check] [--allow-data-loss 'table x.y'] [--json]",
  options: {
    ...targetOptions,
    ...lossOptions,
    out: { type: 'string' },
    sql: { type: 'boolean' },
    check: { type: 'boolean' },
  },
  help: {
    ...targetHelp,
    out: 'write the plan to this file, for `holdfast apply --plan FILE`',
    sql: 'print every statement whole',
    check: 'exit with 3 when there is anything to do',
    ...lossHelp,
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withPlan(invocation, async ({ plan }) => {
    const out = text(invocation, 'out');
    const json = JSON.stringify(plan, null, 2);
    if (out !== undefined) await writeFile(resolve(invocation.cwd, out), `${json}\n`);
    if (flag(invocation, 'json')) say(invocation.terminal, json);
    else showPlan(invocation.terminal, plan, { sql: flag(invocation, 'sql') });
    if (out !== undefined && !flag(invocation, 'json')) {
      say(invocation.terminal, `written to ${out}; apply it with: holdfast apply --plan ${out}`);
    }
    return flag(invocation, 'check') && plan.steps.length > 0 ? EXIT.differs : EXIT.done;
  });
}
