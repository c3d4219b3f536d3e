// A plan as text for people: one line a step, what it locks, what it costs, what is lost, and whether it goes back.
import type { Plan, Step } from '../build/step.ts';
import { columns, counted, paint, say, type Terminal } from './output.ts';

const SQL_WIDTH = 100;

/** How a plan is printed: with every statement whole, or its first line only. */
export interface ShowOptions {
  readonly sql: boolean;
}

/** Prints a plan: head line, a row a step, then what stops it from going back and the planner's notes. */
export function showPlan(terminal: Terminal, plan: Plan, options: ShowOptions): void {
  if (plan.steps.length === 0) {
    say(terminal, `${plan.database}: nothing to do, the server is what the definition says`);
    showNotes(terminal, plan);
    return;
  }
  say(terminal, headline(plan));
  say(terminal);
  const rows = plan.steps.map((step) => row(step));
  columns(rows).forEach((line, at) => {
    const step = plan.steps[at];
    if (step === undefined) return;
    say(terminal, step.loses === null ? line : paint(terminal, 'yellow', line));
    for (const text of sqlLines(step.sql, options.sql)) say(terminal, paint(terminal, 'dim', `     ${text}`));
  });
  say(terminal);
  showHolds(terminal, plan);
  showNotes(terminal, plan);
}

/** `validahub: 12 steps, goes back, rehearsed both ways in 1.2 s (pg_dump)`. */
export function headline(plan: Plan): string {
  const steps = counted(plan.steps.length, 'step');
  const { back, comparedBy, durationMs } = plan.rehearsal;
  const ways = back === 'equal' ? 'forward and back' : 'forward only, since it cannot go back,';
  const seconds = (durationMs / 1000).toFixed(1);
  return `${plan.database}: ${steps}, rehearsed ${ways} in ${seconds} s, compared by ${comparedBy}; plan ${plan.id.slice(0, 12)}`;
}

/** The objects that a plan loses for good, each with what is lost. */
export function losses(plan: Plan): readonly { readonly object: string; readonly what: string }[] {
  return plan.steps.flatMap((step) => (step.loses === null ? [] : [step.loses]));
}

function row(step: Step): string[] {
  const lock = step.lock === 'NONE' ? 'no lock' : `${step.lock} on ${some(step.locks)}`;
  const alone = step.transactional ? '' : 'outside a transaction';
  const loses = step.loses === null ? '' : `LOSES ${step.loses.what}`;
  return [
    String(step.number).padStart(4),
    `${step.verb} ${step.subject}`,
    lock,
    step.work,
    [alone, loses].filter((part) => part !== '').join('; '),
  ];
}

/** The first of a list; the whole of it is in --json. */
function some(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}

function sqlLines(sql: string, whole: boolean): string[] {
  const lines = sql.split('\n').filter((line) => line.trim() !== '');
  if (whole) return lines;
  const first = lines[0] ?? '';
  const cut = lines.length > 1 || first.length > SQL_WIDTH;
  return [cut ? `${first.slice(0, SQL_WIDTH)} …` : first];
}

function showHolds(terminal: Terminal, plan: Plan): void {
  for (const step of plan.steps) {
    if (step.back !== null) continue;
    say(terminal, `step ${step.number} cannot go back: ${step.backReason ?? 'no reason given'}`);
  }
  for (const loss of losses(plan)) {
    say(terminal, `data is lost: ${loss.what}; allow it with --allow-data-loss '${loss.object}'`);
  }
}

function showNotes(terminal: Terminal, plan: Plan): void {
  for (const note of plan.notes) say(terminal, `note: ${note}`);
}
