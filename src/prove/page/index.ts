// One page for a person: verdicts, then what was seen. It is whole in itself and asks nobody for anything.
import { createHash } from 'node:crypto';
import { overall, type Verdict } from '../evidence.ts';
import type { ProofRecord } from '../record.ts';
import { figure, html, Html, lines } from './html.ts';
import { badge, sectionHtml } from './sections.ts';
import { STYLE } from './style.ts';

/** What a page is made of. */
export interface PageOptions {
  readonly proofs: readonly ProofRecord[];
  /** The command that shows it again, without secrets. */
  readonly again: string;
  /** What a reader should know besides. */
  readonly notes?: readonly string[];
}

/**
 * Makes the page: HTML with its style inside, no script, and a policy that forbids it to load anything. Every text that
 * comes from a database is escaped, and characters that cannot be seen are shown. Pure.
 * @see https://www.w3.org/TR/CSP3/#grammardef-hash-source
 */
export function page(options: PageOptions): string {
  const { proofs } = options;
  const found = proofs.map(({ evidence }) => evidence);
  const verdict = overall(found);
  const names = unique(proofs.map((one) => one.definition ?? database(one.target)));
  // Of the whole text between the tags: one space more and no browser would apply it.
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${names.join(', ')}: ${verdict}</title>
        ${new Html(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>
          <h1>${names.join(', ')}</h1>
          ${badge(verdict)}
          <p>${summary(found)}</p>
        </header>
        <main>${facts(proofs)} ${verdicts(proofs)} ${proofs.map(proofHtml)} ${reading(options)}</main>
        <footer>
          Made by Holdfast ${unique(proofs.map((one) => one.release)).join(', ')}. This page loads nothing and
          runs no script; what it shows is all in this file.
        </footer>
      </body>
    </html> `.text;
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];

function database(target: string): string {
  return target.slice(target.lastIndexOf('/') + 1).split('?')[0] ?? target;
}

function summary(found: readonly { readonly proof: string; readonly verdict: Verdict }[]): string {
  return (['broken', 'not shown', 'noisy', 'held'] as const)
    .flatMap((verdict) => {
      const names = found.filter((one) => one.verdict === verdict).map(({ proof }) => proof);
      return names.length === 0 ? [] : [`${verdict}: ${names.join(', ')}`];
    })
    .join('; ');
}

function facts(proofs: readonly ProofRecord[]): Html {
  const all = (of: (record: ProofRecord) => string | null): readonly string[] =>
    unique(proofs.flatMap((one) => of(one) ?? []));
  const times = proofs.flatMap((one) => [one.startedAt, one.finishedAt]).map((at) => at.getTime());
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['Database', all((one) => one.target)],
    ['Definition', all((one) => one.definition)],
    ['Structure', all((one) => one.fingerprint).map((print) => `SHA-256 ${print}`)],
    ['Server', all((one) => `PostgreSQL ${one.serverVersion}`)],
    ['Run', times.length === 0 ? [] : [`${instant(Math.min(...times))} to ${instant(Math.max(...times))}`]],
    ['Holdfast', all((one) => one.release)],
  ];
  return html`<dl>
    ${rows.map(
      ([name, values]) =>
        values.length > 0 &&
        html`<dt>${name}</dt>
          <dd>${values.map((value) => html`<div>${value}</div>`)}</dd>`,
    )}
  </dl>`;
}

const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

function verdicts(proofs: readonly ProofRecord[]): Html {
  const recorded = proofs.some((one) => one.record !== undefined);
  const rows = proofs.map(
    ({ evidence, record, startedAt }, at) =>
      html`<tr role="row">
        <td role="cell" class="w"><a href="#proof-${at + 1}">${evidence.proof}</a></td>
        <td role="cell">${badge(evidence.verdict)}</td>
        <td role="cell">${evidence.line}</td>
        <td role="cell" class="n" data-name="took, seconds">${figure(evidence.durationMs / 1000)}</td>
        <td role="cell" class="w" data-name="at">${instant(startedAt.getTime())}</td>
        ${recorded && html`<td role="cell" class="n" data-name="record">${record}</td>`}
      </tr> `,
  );
  return html`<h3>Verdicts</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="Verdicts">
      <table role="table" class="stack">
        <caption class="away">
          Verdicts
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col" role="columnheader">proof</th>
            <th scope="col" role="columnheader">verdict</th>
            <th scope="col" role="columnheader">what was seen</th>
            <th scope="col" role="columnheader" class="n">took <span class="u">(s)</span></th>
            <th scope="col" role="columnheader">at</th>
            ${recorded && html`<th scope="col" role="columnheader" class="n">record</th>`}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows}
        </tbody>
      </table>
    </div>`;
}

// More than these are a list to look things up in, not what is read first.
const FEW_FIGURES = 12;

function proofHtml({ evidence }: ProofRecord, at: number): Html {
  const all = Object.entries(evidence.figures).map(
    ([name, value]) =>
      html`<div>
        <dt>${name.replaceAll('_', ' ')}</dt>
        <dd>${typeof value === 'number' ? figure(value) : value}</dd>
      </div>`,
  );
  const figures = all.length > 0 && html`<dl class="figures">${all}</dl>`;
  const few = all.length <= FEW_FIGURES;
  return html`<section id="proof-${at + 1}" aria-labelledby="heading-${at + 1}">
    <h2 id="heading-${at + 1}">${evidence.proof} ${badge(evidence.verdict)}</h2>
    <p class="lead">${evidence.line}</p>
    ${few && figures}${evidence.sections.map(sectionHtml)}${
      !few &&
      html`<h3>Figures</h3>
        ${figures}`
    }
  </section> `;
}

const MEANINGS: readonly (readonly [Verdict, string])[] = [
  ['held', 'Everything that could be tried was tried, and nothing was found that breaks the promise.'],
  ['broken', 'At least one thing was found that breaks it; the statement or the object is shown.'],
  ['noisy', 'It was measured, but the machine was too busy for the figure to say anything.'],
  ['not shown', 'It could not be tried, or not all of it; why is said. That is no verdict on the promise.'],
];

function reading({ again, notes = [] }: PageOptions): Html {
  return html`<section aria-labelledby="reading">
    <h2 id="reading">How to read this, and how to see it again</h2>
    <dl>
      ${MEANINGS.map(
        ([verdict, meaning]) =>
          html`<dt>${badge(verdict)}</dt>
            <dd>${meaning}</dd>`,
      )}
    </dl>
    <p>
      A proof shows what was tried on this structure, on this server, at this time: the structure’s
      fingerprint changes with any change of it.
    </p>
    ${notes.map((note) => html`<p>${note}</p>`)}
    <pre><code>${lines(again)}</code></pre>
  </section>`;
}
