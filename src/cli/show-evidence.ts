// What proofs found, for people at a terminal: verdicts first, then what each saw.
import {
  type Evidence,
  type LatencySection,
  type MatrixSection,
  overall,
  type ProofRecord,
  type Section,
  type StatementSection,
  type TableSection,
  visible,
  visibleLines,
} from '../prove/index.ts';
import type { Plan } from '../build/index.ts';
import { columns, counted, paint, say, type Terminal } from './output.ts';
import { showPlan } from './show-plan.ts';

const MOST_ROWS = 30;
const MOST_CHARACTERS = 400;
const WIDTH = 116;
const SHORT_HASH = 12;
const SHORT = 44;
const MOST_LINES = 12;
const MOST_STATEMENTS = 10;
const MOST_ALIKE = 2;

/** How much is printed, and what besides. */
export interface EvidenceShowing {
  /** Everything, or what matters. */
  readonly all: boolean;
  /** Lines before the last: what was written where. */
  readonly said: readonly string[];
  /** What would mend what was found. */
  readonly plan?: Plan | undefined;
}

/** What proofs found: verdicts first, then what each saw, then one line over all. */
export function showProofs(
  terminal: Terminal,
  { records, notes }: { readonly records: readonly ProofRecord[]; readonly notes: readonly string[] },
  showing: EvidenceShowing,
): void {
  const found = records.map(({ evidence }) => evidence);
  showStanding(terminal, records);
  showVerdicts(terminal, found);
  for (const one of found) showSections(terminal, one, showing);
  say(terminal);
  if (showing.plan !== undefined) {
    showPlan(terminal, showing.plan, { sql: true });
    say(terminal);
  }
  for (const note of notes) say(terminal, visible(note));
  for (const line of showing.said) say(terminal, line);
  say(terminal, lastLine(terminal, records));
}

function showStanding(terminal: Terminal, records: readonly ProofRecord[]): void {
  const values = (of: (record: ProofRecord) => string): string => [...new Set(records.map(of))].join(', ');
  const definition = values((one) => one.definition ?? '');
  const rows = [
    ['database', values((one) => visible(one.target))],
    ...(definition === '' ? [] : [['definition', visible(definition)]]),
    ['structure', values((one) => one.fingerprint.slice(0, SHORT_HASH))],
    ['server', `PostgreSQL ${values((one) => one.serverVersion)}`],
    ['run at', values((one) => one.startedAt.toISOString().slice(0, 16))],
  ];
  for (const line of columns(rows)) say(terminal, line);
  say(terminal);
}

const STYLES = { held: 'green', broken: 'red', noisy: 'yellow', 'not shown': 'yellow' } as const;

function showVerdicts(terminal: Terminal, found: readonly Evidence[]): void {
  const rows = found.map((one) => [one.proof, one.verdict.toUpperCase(), clipped(visible(one.line))]);
  columns(rows).forEach((line, at) => {
    const { verdict, durationMs } = found[at] ?? { verdict: 'held', durationMs: 0 };
    const word = verdict.toUpperCase();
    const painted = line.replace(word, () => paint(terminal, STYLES[verdict], word));
    say(terminal, `${painted} (${seconds(durationMs)})`);
  });
}

/** `broken: isolation; held: structure, traps (21.4 s)`. */
function lastLine(terminal: Terminal, records: readonly ProofRecord[]): string {
  const found = records.map(({ evidence }) => evidence);
  const parts = (['broken', 'not shown', 'noisy', 'held'] as const).flatMap((verdict) => {
    const names = found.filter((one) => one.verdict === verdict).map(({ proof }) => proof);
    return names.length === 0 ? [] : [`${verdict}: ${names.join(', ')}`];
  });
  const took = found.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return paint(terminal, STYLES[overall(found)], `${parts.join('; ')} (${seconds(took)})`);
}

/** The sections of one proof; nothing where it has none. */
function showSections(terminal: Terminal, one: Evidence, showing: EvidenceShowing): void {
  if (one.sections.length === 0) return;
  say(terminal);
  say(terminal, paint(terminal, 'bold', one.proof));
  const shown = showing.all ? one.sections : fewer(one.sections);
  for (const section of shown)
    for (const line of linesOf(section, showing)) say(terminal, `  ${line}`.trimEnd());
  const more = one.sections.length - shown.length;
  if (more > 0) say(terminal, `\n  and ${counted(more, 'statement')} more: --all shows them`);
}

/** Without all but the first statements, and those of one object after the second: they tell what is known by then. */
function fewer(sections: readonly Section[]): readonly Section[] {
  const seen = new Map<string, number>();
  let statements = 0;
  return sections.filter((section) => {
    if (section.kind !== 'statement') return true;
    const about = section.title.split(/[:,]/)[0] ?? '';
    const before = seen.get(about) ?? 0;
    seen.set(about, before + 1);
    if (before >= MOST_ALIKE || statements >= MOST_STATEMENTS) return false;
    statements += 1;
    return true;
  });
}

/** `12.4 s`; below ten seconds with two places. */
function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function linesOf(section: Section, showing: EvidenceShowing): readonly string[] {
  switch (section.kind) {
    case 'text':
      return [...titled(section.title), ...textLines(section.lines, showing)];
    case 'table':
      return [...titled(section.title), ...tableLines(section, showing)];
    case 'matrix':
      return [...titled(section.title), ...matrixLines(section, showing)];
    case 'latency':
      return [...titled(section.title), ...latencyLines(section, showing)];
    default:
      return statementLines(section);
  }
}

function textLines(lines: readonly string[], { all }: EvidenceShowing): readonly string[] {
  if (all || lines.length <= MOST_LINES) return lines.map(visible);
  const more = lines.length - MOST_LINES;
  return [...lines.slice(0, MOST_LINES).map(visible), `and ${counted(more, 'line')} more: --all shows them`];
}

const titled = (title: string | undefined): string[] => (title === undefined ? [] : ['', visible(title)]);

function tableLines(section: TableSection, showing: EvidenceShowing): readonly string[] {
  const groups = alike(section.rows, showing);
  const shown = showing.all ? groups : groups.slice(0, MOST_ROWS);
  const rows = shown.flatMap(([first]) => (first === undefined ? [] : [first]));
  const judged = rows.some((row) => row.verdict !== undefined);
  const heads = section.columns.map(({ name, unit }) => (unit === undefined ? name : `${name} (${unit})`));
  const words = rows.map((row) => [
    ...(judged ? [row.verdict ?? ''] : []),
    ...row.cells.map((value) => (showing.all ? cell(value) : clipped(cell(value)))),
  ]);
  const right = heads.map((_, at) => rows.length > 0 && rows.every((row) => isNumber(row.cells[at])));
  const table: Cells = {
    heads: [...(judged ? [''] : []), ...heads],
    rows: words,
    right: [...(judged ? [false] : []), ...right],
  };
  const besides = shown.map(([, ...others]) => othersLines(others));
  const more = groups.slice(shown.length).reduce((sum, group) => sum + group.length, 0);
  const whole = fits(table) && besides.every((lines) => lines.length === 0);
  return [
    ...(whole ? grid(table) : blocks(table, besides)).map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${counted(more, 'row')} more: --all shows them`] : []),
  ];
}

type Rows = TableSection['rows'];

/** Rows that say the same of several things stand together, at the place of the first. */
function alike(rows: Rows, { all }: EvidenceShowing): readonly Rows[] {
  const groups = new Map<string, Rows[number][]>();
  for (const [at, row] of rows.entries()) {
    const key = all || row.alike === undefined ? String(at) : JSON.stringify([row.verdict, row.alike.kind]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

const MOST_NAMES = 6;

function othersLines(others: Rows): readonly string[] {
  if (others.length === 0) return [];
  return wrapped(`and ${others.length} alike: ${namesOf(others.map((row) => row.alike?.name ?? ''))}`);
}

function namesOf(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return `${names.slice(0, MOST_NAMES).map(visible).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Cells as text; `right`: the columns of numbers. */
interface Cells {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly right: readonly boolean[];
}

const widest = ({ heads, rows }: Cells, at: number): number =>
  rows.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), heads[at]?.length ?? 0);

function fits(table: Cells): boolean {
  return table.heads.reduce((sum, _, at) => sum + widest(table, at) + 2, 0) <= WIDTH;
}

function grid(table: Cells): readonly string[] {
  const widths = table.heads.map((_, at) => widest(table, at));
  return columns(
    [table.heads, ...table.rows].map((row) =>
      row.map((text, at) => (table.right[at] === true ? text.padStart(widths[at] ?? 0) : text)),
    ),
  );
}

/** A table too wide for a terminal: what is short on one line a row, what is long below it with its heading. */
function blocks(table: Cells, besides: readonly (readonly string[])[]): readonly string[] {
  const short = table.heads.map((_, at) => widest(table, at) <= SHORT);
  const only = <T>(cells: readonly T[]): T[] => cells.filter((_, at) => short[at]);
  const right = only(table.right);
  // A word says by itself what it is; a figure does not.
  const figures = right.includes(true);
  const heads = only(table.heads).map((head) => (figures ? head : ''));
  const [head = '', ...firsts] = grid({ heads, rows: table.rows.map(only), right });
  return [
    ...(figures ? [head] : []),
    ...table.rows.flatMap((row, at) => [
      firsts[at] ?? '',
      ...row.flatMap((text, column) =>
        short[column] === true || text === '' ? [] : wrapped(`${table.heads[column] ?? ''}: ${text}`),
      ),
      ...(besides[at] ?? []),
    ]),
  ];
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '    ';
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = '      ';
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

const isNumber = (value: string | number | null | undefined): boolean =>
  typeof value === 'number' || value === null;

function cell(value: string | number | null): string {
  if (value === null) return '';
  return typeof value === 'number' ? figure(value) : visible(value);
}

function clipped(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)} …` : text;
}

/** A number with thousands apart and three places at most. */
function figure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

function matrixLines({ columns: attacks, rows }: MatrixSection, { all }: EvidenceShowing): readonly string[] {
  const cells = rows.flatMap((row) => row.cells);
  const count = (of: MatrixSection['rows'][number]['cells'][number]): string =>
    figure(cells.filter((one) => one === of).length);
  const interesting = rows.filter((row) => all || row.cells.includes('crossed'));
  const named = crossedAlike(interesting, { attacks, all }).flatMap((group) => {
    const [row] = group;
    if (row === undefined) return [];
    const crossed = which(attacks, row.cells, 'crossed');
    if (group.length > 1) {
      const names = wrapped(namesOf(group.map(({ name }) => name)));
      return [...names.map((line) => line.slice(2)), ...wrapped(crossed)];
    }
    return [
      `  ${visible(row.name)}`,
      ...[crossed, which(attacks, row.cells, 'told')].flatMap((text) => (text === '' ? [] : wrapped(text))),
      `    held against ${row.cells.filter((one) => one === 'held').length}`,
    ];
  });
  const rest = rows.length - interesting.length;
  return [
    `  ${counted(rows.length, 'object')} by ${counted(attacks.length, 'attack')}: ${count('held')} held, ${count('crossed')} crossed, ${count('told')} told, ${count('none')} do not apply`,
    ...named,
    ...(rest > 0 ? [`  ${counted(rest, 'object')}: nothing crossed; --all names them`] : []),
  ];
}

/** Objects that the same attacks crossed stand together. */
function crossedAlike(
  rows: MatrixSection['rows'],
  { attacks, all }: { attacks: readonly string[]; all: boolean },
): readonly MatrixSection['rows'][] {
  const groups = new Map<string, MatrixSection['rows'][number][]>();
  for (const row of rows) {
    const key = all ? row.name : which(attacks, row.cells, 'crossed');
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function which(
  attacks: readonly string[],
  cells: MatrixSection['rows'][number]['cells'],
  kind: 'crossed' | 'told',
): string {
  const names = attacks.filter((_, at) => cells[at] === kind).map(visible);
  return names.length === 0 ? '' : `${kind === 'crossed' ? 'CROSSED' : 'told'}: ${names.join(', ')}`;
}

const BAR = 40;

function latencyLines(section: LatencySection, { all }: EvidenceShowing): readonly string[] {
  const { p50Ms, p95Ms, p99Ms, budget, classes } = section;
  const figures = `p50 ${figure(p50Ms)} ms, p95 ${figure(p95Ms)} ms, p99 ${figure(p99Ms)} ms`;
  const may = budget === undefined ? '' : `; budget: ${budget.percentile} ${figure(budget.ms)} ms`;
  const most = Math.max(1, ...classes.map(({ count }) => count));
  const bars = classes.map(({ upToMs, count }) => [
    `  up to ${figure(upToMs)} ms`,
    figure(count),
    '#'.repeat(Math.ceil((count / most) * BAR)),
  ]);
  return [`  ${figures}${may}`, ...(all ? columns(bars) : [])];
}

function statementLines({ title, sql, said }: StatementSection): readonly string[] {
  return [
    '',
    visible(title),
    ...visibleLines(sql)
      .split('\n')
      .map((line) => `    ${line}`),
    ...(said === undefined ? [] : [`  -- ${visible(said)}`]),
  ];
}
