// The rows of one rule, as other promises are asked about them.
import type { SubjectRows } from '../../define/erasure.ts';
import { isTheirs, rowChange, rowIsTheirs, valuesOf } from './condition.ts';
import type { Rule } from './plan.ts';
import { noted, type Run } from './run.ts';
import { countLeft, sweep } from './sweep.ts';

/** The rows of one rule, as other promises are asked about them. */
export function rowsOf(run: Run, rule: Rule): SubjectRows {
  const { subject, sought, seen } = run;
  const rows: SubjectRows = {
    of: rule.of,
    subject: subject.name,
    where: isTheirs(subject.rules, rule, 't'),
    values: valuesOf(sought),
    seen,
    theirs: (row) => rowIsTheirs(rule, sought, row),
    change: (row) => rowChange(rule, sought, row),
    sweep: async (relation) => sweep(run, { rule, relation, rows }),
    count: async (relation) => countLeft(run, { rule, relation }),
    note: async (query, erased) => noted(run, query, { erased, touched: [] }),
  };
  return rows;
}
