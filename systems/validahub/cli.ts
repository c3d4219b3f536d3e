// npm run validahub -- check FILE --rules rules.yaml --out corrected.csv, and the commands of commands.ts
// Exit codes: 0 done (check: no row has errors), 1 some rows have errors, 2 it could not be done.
import { parseArgs } from 'node:util';
import { HoldfastError } from 'holdfast';
import { check, readInput, type Checked } from './check.ts';
import { COMMANDS, readCommand, runCommand } from './commands.ts';
import { openHome, type Home } from './home.ts';
import { renderReport } from './rules/render.ts';
import { progressLine, type ProgressLine } from './progress.ts';

const HELP = `Usage: npm run validahub -- check FILE --rules RULES --out CORRECTED
       npm run validahub -- COMMAND

Checks a catalogue (CSV with a header: , ; | # or tab; UTF-8 or Latin-1) against a rule file,
reports what breaks per rule, and writes the corrected catalogue.

  --rules FILE      the rule file (YAML); systems/validahub/rules.yaml is one to start from
  --out FILE        where the corrected catalogue goes; without it none is written
  --channel NAME    the marketplace channel, instead of the rule file's own
  --tenant ID       whose rules and corrections these are (default t_local)
  --by NAME         a pseudonym for the audit trail (default cli)
  --json            the report as JSON on standard output

Commands, each with --tenant, --by and --json:

${Object.values(COMMANDS)
  .map(({ usage, summary }) => `  ${usage}\n      ${summary}`)
  .join('\n')}

The database is an embedded PostgreSQL in ./.holdfast, or the one DATABASE_URL names
(then VALIDAHUB_APP_URL says how the application logs in).
Exit code: 0 done (check: no row has errors), 1 some rows have errors, 2 it could not be done.
`;

const SURROUNDINGS = { cwd: process.cwd(), env: process.env, now: () => new Date() };
const EXIT = { clean: 0, errors: 1, failed: 2 } as const;

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (!(error instanceof HoldfastError) && error instanceof Error)
    process.stderr.write(`${error.stack ?? ''}\n`);
  return EXIT.failed;
});

async function main(args: string[]): Promise<number> {
  const [name = ''] = args;
  return Object.hasOwn(COMMANDS, name) ? command(name, args.slice(1)) : checkFile(args);
}

async function command(name: string, args: string[]): Promise<number> {
  const { json, ...asked } = readCommand(name, args);
  const line = progressLine(process.stderr);
  try {
    const home = await openHome({ ...SURROUNDINGS, onStage: line.show });
    try {
      const { value, lines } = await runCommand(home.hub, name, asked);
      line.end();
      say(json ? JSON.stringify(value) : lines.join('\n'));
      return EXIT.clean;
    } finally {
      await home.leave();
    }
  } finally {
    line.end();
  }
}

async function checkFile(args: string[]): Promise<number> {
  const asked = read(args);
  if (asked === 'help') {
    process.stdout.write(HELP);
    return EXIT.clean;
  }
  const line = progressLine(process.stderr);
  try {
    const { checked, home } = await run(asked, line);
    line.end();
    if (asked.json) process.stdout.write(`${JSON.stringify(checked)}\n`);
    else tell(checked, home);
    return checked.result.report.rowsWithErrors === 0 ? EXIT.clean : EXIT.errors;
  } finally {
    line.end();
  }
}

interface Asked {
  readonly file: string;
  readonly rules: string;
  readonly out: string | undefined;
  readonly channel: string | undefined;
  readonly tenant: string;
  readonly by: string;
  readonly json: boolean;
}

function read(args: string[]): Asked | 'help' {
  const { values, positionals } = parse(args);
  if (values.help === true) return 'help';
  const [command, file, ...more] = positionals;
  if (command !== 'check' || file === undefined || more.length > 0) throw usage('check takes one file.');
  if (values.rules === undefined) throw usage('--rules is missing.');
  return {
    file,
    rules: values.rules,
    out: values.out,
    channel: values.channel,
    tenant: values.tenant ?? 't_local',
    by: values.by ?? 'cli',
    json: values.json === true,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        rules: { type: 'string' },
        out: { type: 'string' },
        channel: { type: 'string' },
        tenant: { type: 'string' },
        by: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function usage(what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_VALIDAHUB_USAGE',
    subject: 'validahub',
    what,
    fix: 'Write npm run validahub -- check FILE --rules RULES --out CORRECTED; --help says more.',
  });
}

async function run(asked: Asked, line: ProgressLine): Promise<{ checked: Checked; home: Home }> {
  const { out, channel, tenant, by } = asked;
  const input = await readInput(asked);
  try {
    const home = await openHome({ ...SURROUNDINGS, onStage: line.show });
    try {
      const checked = await check(home.hub, {
        input,
        tenant,
        by,
        ...(out === undefined ? {} : { out }),
        ...(channel === undefined ? {} : { channel }),
        onRows: (rows, of) => line.show('rows', rows, of),
      });
      return { checked, home };
    } finally {
      await home.leave();
    }
  } finally {
    await input.close();
  }
}

function tell(checked: Checked, home: Home): void {
  const { result, published, out } = checked;
  process.stdout.write(renderReport(result.report, process.stdout.columns));
  say('');
  const number = `version ${result.version} for ${result.channel}`;
  say(published === null ? `Rules     ${number}, unchanged` : `Rules     ${number}, published now`);
  if (out !== null) say(`Corrected ${out.path}: ${out.rows} rows, ${out.corrected} corrections in it`);
  say(`Job       ${result.jobId}, kept in ${home.shown}`);
  for (const note of home.notes) say(`Note      ${note}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
