// The report as text. What comes from the file is shown without control characters, so that a catalogue cannot
// steer the terminal it is shown on.

import type { Example, Report, RuleReport } from './report.ts';

/** Width when the terminal does not tell, in columns. */
export const REPORT_WIDTH = 80;

// Below this the table leaves out the severity.
const NARROW = 60;

/**
 * The report for people: totals, a table of the rules that rows broke, then each of those rules with its message
 * and first rows.
 * @param width columns of the terminal; values are cut and messages wrapped to it. At least 40.
 */
export function renderReport(report: Report, width: number = REPORT_WIDTH): string {
  const columns = Math.max(40, width);
  const broken = report.rules.filter((rule) => rule.broke > 0);
  const sections = [
    totals(report),
    broken.length === 0 ? [] : ['', ...table(broken, columns)],
    notes(report),
    ...broken.map((rule) => ['', ...details(rule, columns)]),
  ];
  const lines = sections.flat().flatMap((line) => wrap(line, columns));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function totals(report: Report): string[] {
  const broken = report.rules.filter((rule) => rule.broke > 0).length;
  const absent = new Set(report.absentFields);
  const idle = report.rules.filter((rule) => rule.broke === 0 && absent.has(rule.field)).length;
  const kept = report.rules.length - broken - idle;
  return [
    `${visible(report.file)}: ${count(report.rows, 'row')}, ${count(report.rules.length, 'rule')}`,
    `  ${number(report.rowsOk)} without errors, ${number(report.rowsWithErrors)} with errors`,
    `  ${number(report.corrected)} values corrected, ${number(report.pending)} wait for a decision, ` +
      `${number(report.violations)} to correct by hand`,
    `  rules: ${number(kept)} kept by every row, ${number(broken)} broken, ${number(idle)} without a column to check`,
  ];
}

interface TableColumn {
  readonly title: string;
  readonly cell: (rule: RuleReport) => string;
  readonly right: boolean;
}

const COUNTS: readonly TableColumn[] = [
  { title: 'Broke', cell: (rule) => number(rule.broke), right: true },
  { title: 'Corrected', cell: (rule) => number(rule.corrected), right: true },
  { title: 'To decide', cell: (rule) => number(rule.pending), right: true },
  { title: 'By hand', cell: (rule) => number(rule.open), right: true },
];

function table(rules: readonly RuleReport[], width: number): string[] {
  const severity: TableColumn = { title: 'Severity', cell: (rule) => rule.severity, right: false };
  const others = width < NARROW ? COUNTS : [severity, ...COUNTS];
  const widths = others.map((column) =>
    Math.max(column.title.length, ...rules.map((rule) => column.cell(rule).length)),
  );
  const rest = widths.reduce((sum, w) => sum + w + 2, 0);
  const longest = Math.max(4, ...rules.map((rule) => rule.ruleId.length));
  const first = Math.max(8, Math.min(longest, width - rest));
  const line = (name: string, cell: (column: TableColumn) => string): string =>
    [
      cut(name, first).padEnd(first),
      ...others.map((column, i) => pad(cell(column), widths[i] ?? 0, column.right)),
    ].join('  ');
  return [
    line('Rule', (column) => column.title),
    '-'.repeat(Math.min(width, first + rest)),
    ...rules.map((rule) => line(rule.ruleId, (column) => column.cell(rule))),
  ];
}

function notes(report: Report): string[] {
  const issues = report.issues.map(
    (issue) => `  ${count(issue.rows, 'row')}: ${issue.message} First on line ${issue.firstLine}.`,
  );
  const absent =
    report.absentFields.length === 0
      ? []
      : [`  The file has no column for: ${report.absentFields.map(visible).join(', ')}`];
  return issues.length + absent.length === 0 ? [] : ['', 'Notes', ...issues, ...absent];
}

function details(rule: RuleReport, width: number): string[] {
  const noColumn = rule.examples.some((example) => example.value === null);
  const shown = noColumn ? [] : rule.examples;
  const more = rule.broke - shown.length;
  const rest = noColumn ? `the file has no column ${visible(rule.field)}` : `and ${count(more, 'more row')}`;
  return [
    `${rule.ruleId}: ${visible(rule.message)}`,
    ...shown.flatMap((example) => exampleLines(example, width)),
    ...(more > 0 ? [`  ${rest}`] : []),
  ];
}

// The correction goes under the value, in the same column, so that the difference can be seen.
function exampleLines(example: Example, width: number): string[] {
  const start = `  line ${example.line}: `;
  const room = width - start.length;
  const first = start + quoted(example.value ?? '', room);
  if (example.correctedValue === null) return [first];
  return [first, '-> '.padStart(start.length) + quoted(example.correctedValue, room)];
}

function quoted(value: string, width: number): string {
  return `"${cut(visible(value), width - 2)}"`;
}

// At spaces, with continued lines indented; a word longer than the line is cut.
function wrap(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(/(?<=\S) /)) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (longer.length <= width || current === '') {
      current = longer;
      continue;
    }
    lines.push(current);
    current = `    ${word}`;
  }
  return [...lines, current].map((part) => cut(part, width));
}

// Control characters, and the marks that turn the direction of writing.
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, '·');
}

function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function count(n: number, noun: string): string {
  return `${number(n)} ${noun}${n === 1 ? '' : 's'}`;
}

function number(n: number): string {
  return String(n).replace(/\B(?=(?:\d{3})+$)/g, ',');
}
