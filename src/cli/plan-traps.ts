// Traps of a definition beside its plan: what the server would be told of later, said before there is one.
import { type Finding, type Traps, trapsOfDefinition, CHECKS, visible } from '../prove/index.ts';
import type { Invocation } from './command.ts';
import { columns, counted, paint, progress, say, type Terminal } from './output.ts';
import { scratchServer } from './target.ts';
import type { Planned } from './with-plan.ts';

/** What a definition's own structure shows: errors and warnings, and what could not be looked at. */
export type PlanTraps = Pick<Traps, 'findings' | 'unseen'>;

/**
 * Builds the definition once more, with the roles and partitions it has when it runs, and looks for traps there.
 * @throws HoldfastError as `plan` does when it cannot be built
 */
export async function trapsBeside(
  invocation: Invocation,
  { loaded, place }: Pick<Planned, 'loaded' | 'place'>,
): Promise<PlanTraps> {
  const line = progress(invocation.terminal);
  line.show('looking for traps');
  try {
    const { findings, unseen } = await trapsOfDefinition(loaded.definition, {
      url: place.url,
      baseDir: loaded.baseDir,
      now: invocation.now(),
      signal: invocation.signal,
      fallback: scratchServer,
    });
    return { findings: findings.filter(({ severity }) => severity !== 'info'), unseen };
  } finally {
    line.end();
  }
}

/** A line a trap: severity, code, object, what it is called, and its page. */
export function showTraps(terminal: Terminal, { findings, unseen }: PlanTraps): void {
  const of = (wanted: Finding['severity']): number =>
    findings.filter(({ severity }) => severity === wanted).length;
  const found = `${counted(of('error'), 'error')}, ${counted(of('warning'), 'warning')}`;
  say(
    terminal,
    findings.length === 0
      ? 'traps of the definition: none above what is worth knowing'
      : `traps of the definition: ${found}; holdfast prove traps says more once it is applied`,
  );
  const titles = new Map<string, string>(CHECKS.map(({ code, title }) => [code, title]));
  const rows = findings.map(({ severity, code, subject }) => [
    severity,
    code,
    visible(subject),
    titles.get(code) ?? '',
    `docs/reference/traps/${code}.md`,
  ]);
  columns(rows).forEach((line, at) =>
    say(terminal, findings[at]?.severity === 'error' ? paint(terminal, 'red', line) : line),
  );
  for (const { code, why } of unseen) say(terminal, `not seen  ${code}  ${visible(why)}`);
}
