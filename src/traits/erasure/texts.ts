// Values of a subject that texts of the ledger may repeat: they are known only as long as its rows are there.
import { findTable, label } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { isTheirs, valuesOf } from './condition.ts';
import type { Run } from './run.ts';

/** Shorter values stand in too many texts that mean something else. */
const SHORTEST = 6;
const MOST_ROWS = 100;

/** The key and the texts of the subject's own row, those of at least six characters. */
export async function personalTexts(run: Run): Promise<readonly string[]> {
  const { subject, sought, context } = run;
  const texts = [sought.key];
  const rule = subject.rules.find(
    (one) => subject.root !== undefined && label(one.of) === label(subject.root),
  );
  const table = rule === undefined ? undefined : findTable(context.model, rule.of);
  const columns = (table?.columns ?? []).filter((column) =>
    /^(text|varchar|character|citext|uuid)/i.test(column.type),
  );
  if (rule !== undefined && columns.length > 0) {
    const list = columns.map((column, at) => `t.${ident(column.name)}::pg_catalog.text AS c${at}`).join(', ');
    const rows = await context.session.transaction(async (query) => {
      await query('SET LOCAL row_security = off');
      return query<Record<string, string | null>>(
        `SELECT ${list} FROM ${qualified(rule.of)} AS t WHERE ${isTheirs(subject.rules, rule, 't')} LIMIT ${MOST_ROWS}`,
        valuesOf(sought),
      );
    });
    for (const row of rows) texts.push(...Object.values(row).flatMap((value) => value ?? []));
  }
  return [...new Set(texts.filter((text) => text.length >= SHORTEST && text !== sought.within))];
}
