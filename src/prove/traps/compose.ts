// Mends of one object by several checks, put together: a text that is written anew would take the other mends back.
import type { Draft } from './check.ts';
import { grouped } from './facts/grouped.ts';
import type { Finding } from './find.ts';

type Written = Finding & Pick<Draft, 'rewrite'>;

// CREATE OR REPLACE gives a function the settings and a view the options that it names, and takes the others away.
const SET_ON = /^ALTER (?:FUNCTION|PROCEDURE|VIEW) /;

/**
 * Findings with their rewrites as statements. The text of each holds the changes of all findings of its object that are as
 * bad or worse, and what they set on the object follows it: run in the order of the findings, no mend undoes another.
 * What was accepted changes no other finding's text.
 * @param findings worst first
 */
export function composed(findings: readonly Written[]): readonly Finding[] {
  const bySubject = grouped(findings, ({ subject }) => subject);
  return findings.map((finding): Finding => {
    const { rewrite, ...plain } = finding;
    if (rewrite === undefined) return plain;
    const all = bySubject.get(finding.subject) ?? [];
    const before = all.slice(0, all.indexOf(finding)).filter(({ accepted }) => accepted === undefined);
    const text = [...before, finding].reduce((now, one) => one.rewrite?.change(now) ?? now, rewrite.text);
    if (text === rewrite.text) return plain;
    const settings = before.flatMap(({ mend }) => mend.filter((statement) => SET_ON.test(statement)));
    return { ...plain, mend: [text, ...plain.mend, ...settings] };
  });
}
