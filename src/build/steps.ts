// Steps from several makers become one numbered list.
import type { Settlement, SettlementStatement } from '../define/trait.ts';
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
  const back = settlement.back?.map(backStatement) ?? null;
  const last = settlement.statements.length - 1;
  const together = last > 0 && settlement.statements.every((statement) => statement.transactional);
  return settlement.statements.map((statement, at) => ({
    ...running(statement),
    subject: settlement.subject,
    verb: 'settle',
    lock: statement.lock,
    locks: statement.on === undefined ? [] : [`${statement.on.schema}.${statement.on.name}`],
    work: 'catalogue',
    ...(together ? { group: 1 } : {}),
    loses: null,
    back: at === last ? back : [],
    ...(at === last && back === null
      ? { backReason: settlement.backReason ?? 'its trait gives no way back' }
      : {}),
  }));
}

function backStatement(one: string | SettlementStatement): BackStatement {
  return running(typeof one === 'string' ? { sql: one, transactional: true } : one);
}

type Running = Pick<Step, 'sql' | 'transactional' | 'lockTimeoutMs' | 'doneWhen' | 'cleanUp'>;

// What runs alone waits for old transactions while nobody waits for it; a timeout would end it half done each time.
function running(statement: SettlementStatement): Running {
  const { sql } = statement;
  if (statement.transactional) return { sql, transactional: true, lockTimeoutMs };
  const { doneWhen, cleanUp } = statement;
  return {
    sql,
    transactional: false,
    lockTimeoutMs: 0,
    doneWhen,
    ...(cleanUp === undefined ? {} : { cleanUp }),
  };
}
