// Steps from several makers become one numbered list.
import type { Settlement } from '../define/trait.ts';
import { lockTimeoutMs } from './online/index.ts';
import type { BackStatement, Step } from './step.ts';

/** A step without its place in the plan. */
export type StepDraft = Omit<Step, 'number'>;

/**
 * Puts lists of steps one after another, numbered from 1; groups of one list stay apart from those of another.
 * @param lists in the order they run
 */
export function numbered(...lists: readonly (readonly StepDraft[])[]): readonly Step[] {
  const steps: Step[] = [];
  let groups = 0;
  for (const list of lists) {
    const offset = groups;
    for (const draft of list) {
      const group = draft.group === undefined ? {} : { group: draft.group + offset };
      groups = Math.max(groups, group.group ?? 0);
      steps.push({ ...draft, ...group, number: steps.length + 1 });
    }
  }
  return steps;
}

/**
 * The steps a trait's settlement asks for; the last of them carries the way back of them all. Where every statement may
 * run in a transaction they share one, so that none of them is ever half done.
 */
export function settlementSteps(settlement: Settlement): readonly StepDraft[] {
  const back: BackStatement[] | null =
    settlement.back === null
      ? null
      : settlement.back.map((one) => (typeof one === 'string' ? { sql: one, transactional: true } : one));
  const last = settlement.statements.length - 1;
  const together = last > 0 && settlement.statements.every((statement) => statement.transactional);
  return settlement.statements.map((statement, at) => ({
    sql: statement.sql,
    subject: settlement.subject,
    verb: 'settle',
    lock: statement.lock,
    locks: statement.on === undefined ? [] : [`${statement.on.schema}.${statement.on.name}`],
    work: 'catalogue',
    transactional: statement.transactional,
    ...(together ? { group: 1 } : {}),
    lockTimeoutMs,
    loses: null,
    back: at === last ? back : [],
    ...(at === last && back === null
      ? { backReason: settlement.backReason ?? 'its trait gives no way back' }
      : {}),
  }));
}
