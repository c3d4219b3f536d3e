// Mistakes that would make an immutable table unusable, or not immutable, seen in the definition alone.
import { findTable, label, type ForeignKey, type Model, type Table } from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { freedomOf, type Immutable } from './build.ts';

const CASCADING = /^(cascade|set null|set default)\b/i;

/** What is wrong with one immutability, by code; none: an empty list. */
export function findings(model: Model, { of, options }: Immutable): readonly Diagnostic[] {
  const table = findTable(model, of);
  if (table === undefined) {
    return [
      {
        code: 'HF_TRAIT_TABLE',
        severity: 'error',
        subject: `table ${label(of)}`,
        what: 'immutability names it, but the definition has no such table.',
        fix: 'Add the table or correct its name.',
      },
    ];
  }
  return [
    ...unknownColumns(table, { of, options }),
    ...cascadesOut(table),
    ...cascadesIn(model, { of, options }),
    ...thaws(table, { of, options }),
  ];
}

function unknownColumns(table: Table, { options }: Immutable): Diagnostic[] {
  const freedom = freedomOf(options);
  if (freedom === undefined) return [];
  const named = [
    ...freedom.mayChange,
    ...freedom.withStep,
    ...freedom.order.map(({ column }) => column),
    ...(freedom.frozenWhile === undefined ? [] : [freedom.frozenWhile.column]),
  ];
  const known = new Set(table.columns.map((column) => column.name));
  return [...new Set(named)]
    .filter((name) => !known.has(name))
    .map((name) => ({
      code: 'HF_TRAIT_COLUMN',
      severity: 'error',
      subject: `table ${label(table)}`,
      what: `immutability names column ${name}, which the table does not have.`,
      fix: 'Add the column or correct its name.',
    }));
}

function cascadesOut(table: Table): Diagnostic[] {
  return table.foreignKeys.filter(cascades).map((key) => ({
    code: 'HF_IMMUTABLE_FK',
    severity: 'error',
    subject: `foreign key (${key.columns.join(', ')}) of table ${label(table)}`,
    what: `it changes or deletes rows that immutability keeps, when ${label(key.references)} changes: that delete would fail.`,
    fix: 'Drop the foreign key and store a plain reference, or let the parent refuse (ON DELETE RESTRICT).',
  }));
}

function cascadesIn(model: Model, { of, options }: Immutable): Diagnostic[] {
  if (options.kind === 'frozen' && options.delete !== 'never') return [];
  const found: Diagnostic[] = [];
  for (const table of model.tables) {
    for (const key of table.foreignKeys.filter(cascades)) {
      if (key.references.schema !== of.schema || key.references.name !== of.name) continue;
      found.push({
        code: 'HF_IMMUTABLE_FK',
        severity: 'error',
        subject: `foreign key (${key.columns.join(', ')}) of table ${label(table)}`,
        what: `it follows deletes and updates of ${label(of)}, whose rows are never deleted.`,
        fix: 'Give it no action (ON DELETE NO ACTION).',
      });
    }
  }
  return found;
}

function cascades(key: ForeignKey): boolean {
  return CASCADING.test(key.onDelete ?? '') || CASCADING.test(key.onUpdate ?? '');
}

/** A frozen row must not be able to leave the condition that freezes it. */
function thaws(table: Table, { options }: Immutable): Diagnostic[] {
  const freedom = freedomOf(options);
  const frozen = freedom?.frozenWhile;
  if (freedom === undefined || frozen === undefined) return [];
  const subject = `table ${label(table)}`;
  const fix = `Name in 'order' only steps between values that freeze (${frozen.is.join(', ')}).`;
  const ordered = freedom.order.find(({ column }) => column === frozen.column);
  if (ordered === undefined) {
    if (!freedom.mayChange.includes(frozen.column)) return [];
    const what = `column ${frozen.column} freezes a row and may change freely: any update could thaw it.`;
    return [{ code: 'HF_IMMUTABLE_THAW', severity: 'error', subject, what, fix }];
  }
  const out = frozen.is.flatMap((from) =>
    (ordered.next.get(from) ?? []).filter((to) => !frozen.is.includes(to)).map((to) => `${from} → ${to}`),
  );
  return out.map((step) => ({
    code: 'HF_IMMUTABLE_THAW',
    severity: 'error',
    subject,
    what: `the step ${step} of column ${frozen.column} would thaw a frozen row.`,
    fix,
  }));
}
