// holdfast slow: the statements that take longest on average, out of pg_stat_statements.
import { HoldfastError } from '../../error.ts';
import { target, withClient } from '../../server/index.ts';
import { slowDefaults, slowStatements, type SlowStatements } from '../../watch/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { columns, counted, paint, say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';

/** `holdfast slow [DEFINITION]`. */
export const slowCommand: Command = {
  name: 'slow',
  summary: 'show the statements that take longest on average; changes nothing',
  usage: '[DEFINITION | --url URL] [--above MS] [--limit N] [--json]',
  options: { ...targetOptions, above: { type: 'string' }, limit: { type: 'string' } },
  help: {
    ...targetHelp,
    above: `only statements whose mean time is above so many milliseconds; default ${slowDefaults.aboveMs}`,
    limit: `how many at most; default ${slowDefaults.limit}`,
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const options = {
    aboveMs: numberOf(invocation, 'above', { of: slowDefaults.aboveMs, least: 0 }),
    limit: numberOf(invocation, 'limit', { of: slowDefaults.limit, least: 1 }),
  };
  const read = async (url: string): Promise<SlowStatements> =>
    withClient(url, async (client) =>
      slowStatements(
        async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
          (await client.query(sql, [...values])).rows as Row[],
        options,
      ),
    );
  const url = text(invocation, 'url');
  // A database of somebody else's needs no definition to be looked at.
  const [found, shown] =
    url !== undefined && invocation.positionals.length === 0
      ? [await read(url), target(url).shown]
      : await withTarget(invocation, async ({ place }) => [await read(place.url), place.shown] as const);
  if (flag(invocation, 'json'))
    say(invocation.terminal, JSON.stringify({ database: shown, ...found }, null, 2));
  else show(invocation, { found, shown, aboveMs: options.aboveMs });
  return EXIT.done;
}

function show(
  { terminal }: Invocation,
  {
    found,
    shown,
    aboveMs,
  }: { readonly found: SlowStatements; readonly shown: string; readonly aboveMs: number },
): void {
  const since = found.since === null ? '' : ` since ${found.since.toISOString()}`;
  say(terminal, `${shown}: ${counted(found.remembered, 'statement')} remembered${since}`);
  if (found.hidden > 0) {
    const hidden = `${found.hidden} of them are other roles' and hidden from this one; GRANT pg_read_all_stats shows them`;
    say(terminal, paint(terminal, 'yellow', hidden));
  }
  if (found.statements.length === 0) say(terminal, `none takes more than ${aboveMs} ms on average`);
  else {
    const rows = found.statements.map((one) => [
      one.meanMs.toFixed(1),
      one.maxMs.toFixed(1),
      String(one.calls),
      `${(one.share * 100).toFixed(1)} %`,
      one.role,
      one.statement.slice(0, SHOWN),
    ]);
    for (const line of columns([['mean ms', 'max ms', 'calls', 'of all time', 'role', 'statement'], ...rows]))
      say(terminal, line);
  }
}

/** Characters of a statement in the table; `--json` has all of it. */
const SHOWN = 120;

function numberOf(
  invocation: Invocation,
  name: string,
  { of, least }: { readonly of: number; readonly least: number },
): number {
  const given = text(invocation, name);
  const number = given === undefined ? of : Number(given);
  if (/^\d+$/.test(given ?? '0') && number >= least && number <= 1_000_000_000) return number;
  throw new HoldfastError({
    code: 'HF_NUMBER',
    subject: `--${name}`,
    what: `${JSON.stringify(given)} is no whole number from ${least}.`,
    fix: `Give one: --${name} ${of}.`,
  });
}
