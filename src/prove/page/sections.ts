// Sections of evidence as HTML.
import type {
  LatencySection,
  MatrixSection,
  Section,
  StatementSection,
  TableSection,
  TextSection,
  Verdict,
} from '../evidence.ts';
import { latencyChart } from './chart.ts';
import { figure, html, type Html, lines, names } from './html.ts';

/** A verdict as a mark with its word. */
export function badge(verdict: Verdict): Html {
  return html`<span class="badge ${verdict.replace(' ', '-')}">${verdict}</span>`;
}

/** One section, with its heading. */
export function sectionHtml(section: Section): Html {
  switch (section.kind) {
    case 'text':
      return textHtml(section);
    case 'table':
      return tableHtml(section);
    case 'matrix':
      return matrixHtml(section);
    case 'latency':
      return latencyHtml(section);
    default:
      return statementHtml(section);
  }
}

function textHtml({ title, lines: all }: TextSection): Html {
  return html`${title !== undefined && html`<h3>${title}</h3>`}${all.map((line) => html`<p>${line}</p>`)}`;
}

// From this many columns on a narrow screen shows a row as a block: nobody reads sideways.
const STACKED = 3;

function tableHtml({ title, columns, rows }: TableSection): Html {
  const judged = rows.some((row) => row.verdict !== undefined);
  const styles = columns.map((_, at) => styleOf(rows.map((row) => row.cells[at] ?? null)));
  const head = columns.map(
    ({ name, unit }, at) =>
      html`<th scope="col" role="columnheader" class="${styles[at] ?? ''}">
        ${name}${unit !== undefined && html` <span class="u">(${unit})</span>`}
      </th>`,
  );
  const body = rows.map(
    (row) =>
      html`<tr role="row">
        ${judged && html`<td role="cell">${row.verdict !== undefined && badge(row.verdict)}</td>`}${columns.map(
          ({ name }, at) => cellHtml(row.cells[at] ?? null, name, styles[at] ?? ''),
        )}
      </tr> `,
  );
  const stack = columns.length >= STACKED ? 'stack' : '';
  return html`<h3>${title}</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      <table role="table" class="${stack}">
        <caption class="away">
          ${title}
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            ${judged && html`<th scope="col" role="columnheader">verdict</th>`}${head}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${body}
        </tbody>
      </table>
    </div>`;
}

// A code or a name of a few letters is not broken to make room for a sentence.
const SHORT = 22;

/** Numbers to the right, short words in one piece. */
function styleOf(values: readonly (string | number | null)[]): 'n' | 'w' | '' {
  if (values.some((value) => typeof value === 'number') && values.every((value) => typeof value !== 'string'))
    return 'n';
  return values.every((value) => String(value ?? '').length <= SHORT) ? 'w' : '';
}

// Words are kept whole; what has no place to be broken at must not push other columns off the page.
const LONG_WORD = /[^\s._]{24}/;

function cellHtml(value: string | number | null, name: string, style: string): Html {
  const shown =
    value === null
      ? ''
      : typeof value === 'number'
        ? figure(value)
        : html`<span class="s${LONG_WORD.test(value) ? ' b' : ''}">${names(value)}</span>`;
  return html`<td role="cell" data-name="${name}" class="${style}">${shown}</td>`;
}

const CELLS = {
  held: { mark: '✓', name: 'h', says: 'held' },
  crossed: { mark: '✗', name: 'x', says: 'crossed' },
  told: { mark: '!', name: 't', says: 'told: not crossed, but worth knowing' },
  none: { mark: '·', name: 'o', says: 'does not apply to this object' },
} as const;

const WHOLE_NAME = 48;

function matrixHtml({ title, columns, rows }: MatrixSection): Html {
  const head = columns.map((name) => html`<th scope="col"><span>${name}</span></th>`);
  const body = rows.map(
    (row) =>
      html`<tr>
        <th scope="row" class="${row.name.length <= WHOLE_NAME ? 'w' : ''}">${names(row.name)}</th>
        ${row.cells.map((cell, at) => matrixCell(cell, `${row.name}, ${columns[at] ?? ''}`))}
      </tr> `,
  );
  const cells = rows.flatMap((row) => row.cells);
  const legend = Object.entries(CELLS).map(
    ([kind, { mark, name, says }]) =>
      html`<li>
        <b class="${name}">${mark}</b>${says} (${figure(cells.filter((cell) => cell === kind).length)})
      </li>`,
  );
  return html`<div class="matrix-page">
    <h3>${title}</h3>
    <ul class="legend">
      ${legend}
    </ul>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      <table class="matrix">
        <caption class="away">
          ${title}
        </caption>
        <thead>
          <tr>
            <td></td>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${body}
        </tbody>
      </table>
    </div>
  </div>`;
}

// A tip only where there is something to say: a page of many thousand cells stays light.
function matrixCell(cell: keyof typeof CELLS, where: string): Html {
  const { mark, name } = CELLS[cell];
  const says = cell === 'crossed' || cell === 'told';
  if (!says) return html`<td class="${name}">${mark}</td>`;
  return html`<td class="${name}" title="${where}: ${cell}">${mark}</td>`;
}

function latencyHtml(section: LatencySection): Html {
  const { title, p50Ms, p95Ms, p99Ms, budget } = section;
  const may = budget === undefined ? '' : `; budget: ${budget.percentile} within ${figure(budget.ms)} ms`;
  return html`<figure>
    <figcaption>${title}</figcaption>
    ${latencyChart(section)}
    <p>p50 ${figure(p50Ms)} ms, p95 ${figure(p95Ms)} ms, p99 ${figure(p99Ms)} ms${may}</p>
  </figure>`;
}

function statementHtml({ title, sql, said }: StatementSection): Html {
  return html`<h3>${title}</h3>
    <pre><code>${lines(sql)}</code></pre>
    ${said !== undefined && html`<p>${said}</p>`}`;
}
