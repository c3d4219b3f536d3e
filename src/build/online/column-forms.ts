// Columns: which additions and changes of type rewrite the table, and how a cast that would cut values is kept from it.
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import type { ObjectId, PlannedAction } from '../action.ts';
import { describe, subjectOf } from '../locks.ts';
import { plain, type Draft } from './draft.ts';
import { retype } from './retype.ts';
import { holdsRows, textOf, type Scene } from './scene.ts';

// What PostgreSQL stores once in the catalogue for all rows that are there (attmissingval): constants, and functions
// that are stable. Whatever else a default may be is taken to be volatile, which writes every row.
// https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
const CONSTANT = /^(-?[\d.]+|\(-?[\d.]+\)|'(?:[^']|'')*'|true|false|NULL)(::[\w. ",()[\]]+)?$/s;
const STABLE = /^(now\(\)|CURRENT_(DATE|TIMESTAMP|TIME|USER)|transaction_timestamp\(\))(::[\w. ",()[\]]+)?$/;

/**
 * ADD COLUMN as one step.
 * @throws HoldfastError HF_COLUMN_NEEDS_DEFAULT when the column may not be null, has no default, and rows are there
 */
export function createColumn(action: PlannedAction, scene: Scene): readonly Draft[] {
  const id = subjectOf(action);
  const on = tableOf(id);
  const draft = plain(action, scene);
  if (!holdsRows(scene, on)) return [draft];
  const payload = scene.after.payload(id);
  const expression = textOf(scene.after, { ...id, kind: 'default' }, 'expr');
  const generated = typeof payload?.['generatedExpr'] === 'string' && !action.sql.endsWith(' VIRTUAL');
  const identity = payload?.['identity'] !== undefined && payload['identity'] !== null;
  const needsValue = payload?.['notNull'] === true && expression === '' && !generated && !identity;
  if (needsValue && scene.backward) {
    return [
      {
        ...draft,
        impossible: `${describe(id)} may not be null and has no default, so it cannot come back for rows`,
      },
    ];
  }
  if (needsValue) {
    throw new HoldfastError({
      code: 'HF_COLUMN_NEEDS_DEFAULT',
      subject: describe(id),
      what: 'it may not be null and has no default, but its table holds rows.',
      fix: 'Give it a default, or add it nullable, fill it, and make it NOT NULL in a later plan.',
    });
  }
  const constant = expression === '' || CONSTANT.test(expression) || STABLE.test(expression);
  return [{ ...draft, work: generated || identity || !constant ? 'rewrite' : 'catalogue' }];
}

/** A statement that alters a column; `SET NOT NULL` is not among them. Empty where it would do nothing. */
export function alterColumn(action: PlannedAction, scene: Scene): readonly Draft[] {
  const id = subjectOf(action);
  const draft = plain(action, scene);
  if (action.sql.endsWith(' DROP DEFAULT') && scene.before.payload({ ...id, kind: 'default' }) === undefined)
    return [];
  if (!action.rewriteRisk) return [draft];
  const to = textOf(scene.after, id, 'type');
  const cost = retype(textOf(scene.before, id, 'type'), to);
  const cast = action.sql.lastIndexOf(' USING ');
  const byAssignment = cost.byAssignment && cast > 0 && action.sql.endsWith(`::${to}`);
  const what = `values that do not fit ${to} are rounded or cut`;
  return [
    {
      ...draft,
      sql: byAssignment ? action.sql.slice(0, cast) : action.sql,
      work: cost.rewrites ? 'rewrite' : 'catalogue',
      loses: cost.loses ? { object: describe(id), what } : null,
    },
  ];
}

/** DROP COLUMN: its values are gone, unless they were computed from the row. */
export function dropColumn(action: PlannedAction, scene: Scene): readonly Draft[] {
  const id = subjectOf(action);
  if (typeof scene.before.payload(id)?.['generatedExpr'] === 'string') return [plain(action, scene)];
  const column = ident(id.name ?? '');
  const expression = textOf(scene.before, { ...id, kind: 'default' }, 'expr');
  // What only ever held its constant default was never written by anybody.
  const written = CONSTANT.test(expression)
    ? `${column} IS DISTINCT FROM (${expression})`
    : `${column} IS NOT NULL`;
  const probe = `SELECT EXISTS (SELECT FROM ${qualified(tableOf(id))} WHERE ${written}) AS lost`;
  return [
    { ...plain(action, scene), loses: { object: describe(id), what: 'every value of the column', probe } },
  ];
}

function tableOf(id: ObjectId): { schema: string; name: string } {
  return { schema: id.schema ?? '', name: id.table ?? '' };
}
