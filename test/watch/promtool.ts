// Debian's promtool (package prometheus), where it is installed: Prometheus' own word on a page of metrics or rules.
import { spawnSync } from 'node:child_process';

/** Whether promtool can be run; why tests that need it are skipped, where it cannot. */
export const promtool = {
  there: spawnSync('promtool', ['--version']).status === 0,
  missing:
    'promtool is not installed (Debian: apt-get install prometheus); what it would say is not tested here',
} as const;

/** Runs promtool; gives its exit code and everything it says. */
export function run(
  args: readonly string[],
  input = '',
): { readonly code: number | null; readonly says: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { code: status, says: `${stdout}${stderr}` };
}
