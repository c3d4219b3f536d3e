// Every row of a subject, wherever it lies, as text that any program can read.
import type { RowText } from '../../define/erasure.ts';
import { findTable, label, type RelationName } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { EXACT_SQL } from '../retention/files/source.ts';
import { isTheirs, valuesOf } from './condition.ts';
import { rowsOf } from './rows.ts';
import type { Run } from './run.ts';

/** One row of a subject. */
export interface Exported {
  readonly relation: RelationName;
  /** Where it lies: `table shop.orders`, `archive files of shop.orders`. */
  readonly place: string;
  /** Values as PostgreSQL prints them: times in UTC, bytea as hexadecimal. */
  readonly row: RowText;
}

const FETCH = 1_000;

/**
 * Hands every row to `take`, table by table, each in a snapshot of its own, and then its copies elsewhere. Rows that name
 * the subject and stay in an erasure are among them.
 */
export async function exportRows(run: Run, take: (row: Exported) => Promise<void>): Promise<void> {
  for (const rule of run.subject.rules.toReversed()) {
    const place = run.placeOf(rule.of);
    await ofTable(run, rule.of, async (row) => take({ relation: rule.of, place, row }));
    const rows = rowsOf(run, rule);
    for (const { part, context } of run.parts)
      await part.copies?.(context, rows, async (one) => take({ relation: rule.of, ...one }));
  }
}

async function ofTable(run: Run, of: RelationName, take: (row: RowText) => Promise<void>): Promise<void> {
  const { subject, sought, context } = run;
  const rule = subject.rules.find((one) => label(one.of) === label(of));
  const columns = findTable(context.model, of)?.columns ?? [];
  if (rule === undefined || columns.length === 0) return;
  const list = columns.map(({ name }) => `t.${ident(name)}::pg_catalog.text AS ${ident(name)}`).join(', ');
  await context.session.transaction(async (query) => {
    await query(EXACT_SQL);
    await query(
      `DECLARE holdfast_rows NO SCROLL CURSOR FOR SELECT ${list} FROM ${qualified(of)} AS t WHERE ${isTheirs(subject.rules, rule, 't')}`,
      valuesOf(sought),
    );
    for (;;) {
      const rows = await query<Record<string, string | null>>(`FETCH ${FETCH} FROM holdfast_rows`);
      for (const row of rows) await take(row);
      if (rows.length < FETCH) return;
    }
  });
}
