// Texts of the ledger that name what must be forgotten: errors of jobs and steps, and what tasks said of themselves.
import { ident } from '../sql.ts';
import type { PieceQuery } from './pieces.ts';

/** What stands in the place of a text that was taken out. */
const TAKEN_OUT = 'taken out: this text named a subject that was erased';

/** Tables of the ledger in which {@link forgetTexts} and pieces leave dead rows. */
export const TEXT_TABLES: readonly string[] = ['job', 'job_run', 'step', 'piece'];

/**
 * Takes out each text of a definition's jobs and of applied steps that holds one of the values, in the caller's
 * transaction. The whole text goes: what else it says may name the same.
 * @param of.values compared byte by byte; an empty one is passed over
 * @returns how many texts were taken out
 */
export async function forgetTexts(
  query: PieceQuery,
  of: { readonly schema: string; readonly definition: string; readonly values: readonly string[] },
): Promise<number> {
  const values = of.values.filter((value) => value !== '');
  if (values.length === 0) return 0;
  let taken = 0;
  for (const sql of statements(ident(of.schema))) {
    const rows = await query<{ taken: number }>(sql, [of.definition, values, TAKEN_OUT]);
    taken += rows[0]?.taken ?? 0;
  }
  return taken;
}

const names = (column: string): string =>
  `EXISTS (SELECT FROM pg_catalog.unnest($2::pg_catalog.text[]) v WHERE pg_catalog.strpos(${column}, v) > 0)`;

const counted = (update: string): string =>
  `WITH taken AS (${update} RETURNING 1) SELECT pg_catalog.count(*)::pg_catalog.int4 AS taken FROM taken`;

// A value with quotes or backslashes stands escaped in JSON: a text is compared after it is taken out of it.
const statements = (schema: string): readonly string[] => [
  counted(
    `UPDATE ${schema}.job SET last_error = $3 WHERE definition = $1 AND last_error <> $3 AND ${names('last_error')}`,
  ),
  counted(
    `UPDATE ${schema}.job_run SET error = $3 WHERE definition = $1 AND error <> $3 AND ${names('error')}`,
  ),
  counted(
    `UPDATE ${schema}.job_run r SET tasks = '[]' WHERE definition = $1 AND $3::pg_catalog.text IS NOT NULL
     AND EXISTS (SELECT FROM pg_catalog.jsonb_path_query(r.tasks, '$.** ? (@.type() == "string")') t (said) WHERE ${names("(t.said #>> '{}')")})`,
  ),
  counted(
    `UPDATE ${schema}.step s SET error = $3 FROM ${schema}.run r
     WHERE r.run = s.run AND r.definition = $1 AND s.error <> $3 AND ${names('s.error')}`,
  ),
];
