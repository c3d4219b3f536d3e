// What the search for traps hands on: one line, figures, and a table with the statements that mend.
import type { Evidence, Section } from '../evidence.ts';
import type { Severity } from './check.ts';
import type { Finding, Traps } from './find.ts';

/**
 * The findings as evidence. Broken: an error or a warning that nobody said is meant. Not shown: nothing was found, but
 * a check could not look.
 */
export function trapsEvidence(traps: Traps): Evidence {
  const of = (severity: Severity): readonly Finding[] =>
    traps.findings.filter((finding) => finding.severity === severity);
  const [errors, warnings, infos] = [of('error').length, of('warning').length, of('info').length];
  const accepted = traps.findings.filter((finding) => finding.accepted !== undefined).length;
  const broken = errors + warnings > 0;
  return {
    proof: 'traps',
    verdict: broken ? 'broken' : traps.unseen.length > 0 ? 'not shown' : 'held',
    line: lineOf(traps, { errors, warnings, infos }),
    figures: {
      checks: traps.checks,
      errors,
      warnings,
      infos,
      accepted,
      accepted_and_not_found: traps.idle.length,
      unseen: traps.unseen.length,
    },
    sections: sectionsOf(traps),
    durationMs: traps.durationMs,
  };
}

function lineOf(
  traps: Traps,
  { errors, warnings, infos }: { errors: number; warnings: number; infos: number },
): string {
  const found =
    errors + warnings + infos === 0
      ? 'nothing found'
      : `${counted(errors, 'error')}, ${counted(warnings, 'warning')}, ${infos} worth knowing`;
  const unseen =
    traps.unseen.length === 0 ? '' : `; ${counted(traps.unseen.length, 'part')} could not be seen`;
  return `${traps.checks} checks: ${found}${unseen}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function sectionsOf(traps: Traps): readonly Section[] {
  const sections: Section[] = [];
  if (traps.said.length > 0) sections.push({ kind: 'text', title: 'What was guessed', lines: traps.said });
  if (traps.findings.length > 0) {
    sections.push({
      kind: 'table',
      title: 'Traps found',
      columns: [
        { name: 'code' },
        { name: 'severity' },
        { name: 'object' },
        { name: 'what stands there' },
        { name: 'what will happen' },
        { name: 'what to do' },
      ],
      rows: traps.findings.map((finding) => ({
        cells: [
          finding.code,
          finding.severity,
          finding.subject,
          finding.what,
          finding.effect,
          finding.accepted === undefined ? finding.advice : `meant: ${finding.accepted}`,
        ],
        alike: { kind: `${finding.code} ${finding.severity}`, name: finding.subject },
        // What is only worth knowing is neither good nor bad.
        ...(finding.severity === 'info' ? {} : { verdict: 'broken' as const }),
      })),
    });
  }
  for (const finding of traps.findings) {
    if (finding.mend.length === 0 || finding.accepted !== undefined) continue;
    sections.push({
      kind: 'statement',
      title: `Mends ${finding.code}, ${finding.subject}`,
      sql: finding.mend.map((statement) => `${statement};`).join('\n'),
    });
  }
  if (traps.idle.length > 0) {
    sections.push({
      kind: 'text',
      title: 'Accepted and not found',
      lines: traps.idle.map(
        ({ code, subject, because }) =>
          `${code}${subject === undefined ? '' : ` ${subject}`}: nothing is found there, so take it out of what is accepted (${because}).`,
      ),
    });
  }
  if (traps.unseen.length > 0) {
    sections.push({
      kind: 'text',
      title: 'Could not be seen',
      lines: traps.unseen.map(({ code, why }) => `${code}: ${why}`),
    });
  }
  return sections;
}
