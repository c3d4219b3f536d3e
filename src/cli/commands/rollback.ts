// holdfast rollback: back to an earlier applied plan, by the ways back that were rehearsed with it.
import { rollback } from '../../build/index.ts';
import { lossHelp, lossOptions, refuseInterrupted, tell } from '../carry-out.ts';
import { type Command, EXIT, flag, type Invocation, list, text } from '../command.ts';
import { counted, progress, say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';

/** `holdfast rollback [DEFINITION]`. */
export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'go back to an earlier applied plan; also takes back an apply that was cut off',
  usage: "[DEFINITION] [--url URL] [--to PLAN] [--allow-data-loss 'table x.y'] [--json]",
  options: { ...targetOptions, ...lossOptions, to: { type: 'string' } },
  help: {
    ...targetHelp,
    to: 'the plan that shall be in force afterwards, its id or the start of it; default: the one before the newest',
    ...lossHelp,
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withTarget(invocation, async ({ place }) => {
    const line = progress(invocation.terminal);
    const back = await rollback(place.url, {
      to: text(invocation, 'to') ?? 'previous',
      allowDataLoss: list(invocation, 'allow-data-loss'),
      onProgress: (at) => line.show(tell(at), at.step, at.of),
      onBoundary: () => refuseInterrupted(invocation.signal),
    }).finally(() => line.end());
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(back, null, 2));
    else {
      const plans = back.plans.map((id) => id.slice(0, 12)).join(', ');
      say(invocation.terminal, `taken back: plan ${plans}, ${counted(back.statements, 'statement')}`);
    }
    return EXIT.done;
  });
}
