// holdfast alerts: Prometheus alerting rules from a definition, with the tests that show each firing and quiet.
import { writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { alertRules, alertTests, rulesOf } from '../../watch/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { loadDefinition } from '../load.ts';
import { counted, say } from '../output.ts';

/** `holdfast alerts [DEFINITION]`. */
export const alertsCommand: Command = {
  name: 'alerts',
  summary: "write Prometheus' alerting rules for a definition, and promtool tests of them; asks no database",
  usage: '[DEFINITION] [--out FILE] [--tests FILE] [--json]',
  options: { out: { type: 'string' }, tests: { type: 'string' } },
  help: {
    out: 'write the rules to this file, for rule_files of Prometheus; default: print them',
    tests: 'write unit tests of that file, for `promtool test rules FILE`; needs --out',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { terminal, cwd } = invocation;
  const [out, tests] = [text(invocation, 'out'), text(invocation, 'tests')];
  if (tests !== undefined && out === undefined) {
    terminal.err.write("holdfast: --tests needs --out, the file it tests; see 'holdfast alerts --help'\n");
    return EXIT.usage;
  }
  const { definition } = await loadDefinition(invocation.positionals[0], cwd);
  const rules = rulesOf(definition);
  if (out !== undefined) await writeFile(resolve(cwd, out), alertRules(definition));
  if (out !== undefined && tests !== undefined) {
    const from = relative(dirname(resolve(cwd, tests)), resolve(cwd, out));
    await writeFile(resolve(cwd, tests), alertTests(definition, from));
  }
  if (flag(invocation, 'json')) say(terminal, JSON.stringify({ rules }, null, 2));
  else if (out === undefined) terminal.out.write(alertRules(definition));
  else say(terminal, `${counted(rules.length, 'rule')} written to ${out}; promtool check rules reads them`);
  return EXIT.done;
}
