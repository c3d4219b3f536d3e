// holdfast prove: attacks, measures and compares a database, and shows what was seen; the database itself is only read.
import { resolve } from 'node:path';
import { overall, page } from '../../prove/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { say } from '../output.ts';
import { PROOFS } from '../proofs.ts';
import { readArguments } from '../prove-arguments.ts';
import { lastTime, type Outcome, prove, withSubject } from '../proving.ts';
import { showProofs } from '../show-evidence.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { writeWhole } from '../write-whole.ts';

/** `holdfast prove [PROOF…] [DEFINITION | postgres://URL]`. */
export const proveCommand: Command = {
  name: 'prove',
  summary:
    'show on a real server that promises hold: compare, attack a copy, search for traps, measure; the database is only read',
  usage: `[${PROOFS.map(({ name }) => name).join(' | ')} …] [DEFINITION] [postgres://URL] [--html FILE] [--last] [--all] [--fix [--out FILE]] [--only CODE] [--at SIZE] [--server URL] [--column C] [--setting S] [--role R] [--json]`,
  options: {
    ...targetOptions,
    html: { type: 'string' },
    last: { type: 'boolean' },
    all: { type: 'boolean' },
    fix: { type: 'boolean' },
    out: { type: 'string' },
    only: { type: 'string', multiple: true },
    at: { type: 'string', multiple: true },
    server: { type: 'string' },
    column: { type: 'string' },
    setting: { type: 'string' },
    role: { type: 'string', multiple: true },
  },
  help: {
    ...targetHelp,
    html: 'write one page for a browser and for auditors: verdicts, tables, charts; it needs no network',
    last: 'run nothing: show what the ledger has of the last time',
    all: 'print every row and statement; --json and --html always hold them all',
    fix: 'traps: plan what mends them, rehearsed forward and back; nothing is changed',
    out: 'traps: write that plan to this file, for `holdfast apply --plan FILE`',
    only: 'checks of traps by code (HT106), budgets by name; may be given several times',
    at: 'budgets: the sizes to measure at, as multiples of what they state: --at 1 --at 3',
    server:
      'a server to attack copies and to measure on, as a superuser, of the same major; default: embedded ones',
    column: 'without a definition: the column that says whose a row is; default: guessed and shown',
    setting:
      'without a definition: the setting that says for whom a session works; default: guessed and shown',
    role: 'without a definition: a role the application works as; may be given several times',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const asked = readArguments(invocation);
  if ('misused' in asked) {
    invocation.terminal.err.write(`holdfast: ${asked.misused}; see 'holdfast prove --help'\n`);
    return EXIT.usage;
  }
  const file = text(invocation, 'html');
  // Before the work: a folder that is not there must not show after minutes of it.
  const html = file === undefined ? undefined : await writeWhole(resolve(invocation.cwd, file));
  try {
    const outcome = await withSubject(invocation, asked, async (subject) =>
      flag(invocation, 'last') ? lastTime(subject, asked) : prove(invocation, subject, asked),
    );
    await html?.finish(page({ proofs: outcome.records, again: outcome.again, notes: outcome.notes }));
    const said = file === undefined ? [] : [`page written to ${file}`];
    const { plan } = outcome;
    const { out } = asked;
    if (out !== undefined && plan !== undefined) {
      const whole = await writeWhole(resolve(invocation.cwd, out));
      await whole.finish(`${JSON.stringify(plan, null, 2)}\n`);
      said.push(`plan written to ${out}; carry it out with: holdfast apply --plan ${out}`);
    }
    if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(machine(outcome), null, 2));
    else showProofs(invocation.terminal, outcome, { all: flag(invocation, 'all'), said, plan });
    return exitOf(outcome);
  } finally {
    await html?.abandon();
  }
}

function machine(outcome: Outcome): Record<string, unknown> {
  const { records, again, notes, plan } = outcome;
  return {
    verdict: overall(records.map(({ evidence }) => evidence)),
    proofs: records,
    again,
    notes,
    ...(plan !== undefined && { plan }),
  };
}

// What is broken was shown to be; that another proof could not be run does not take it back.
function exitOf({ records, failed }: Outcome): number {
  if (records.some(({ evidence }) => evidence.verdict === 'broken')) return EXIT.differs;
  return failed ? EXIT.failed : EXIT.done;
}
