// Functions as CREATE OR REPLACE takes them, with a change to their text: how a function is mended.
import type { TrapContext } from '../check.ts';
import type { Routine } from './functions.ts';

const DEFINITIONS_SQL = `
  SELECT o.oid, pg_catalog.pg_get_functiondef(o.oid) AS text FROM pg_catalog.unnest($1::pg_catalog.oid[]) o(oid)`;

/** Definitions of functions by oid: one statement each, which makes the function anew with its rights kept. */
export async function definitions(
  { query }: Pick<TrapContext, 'query'>,
  of: readonly Routine[],
): Promise<(routine: Routine) => string> {
  const rows = await query<{ oid: number; text: string }>(DEFINITIONS_SQL, [of.map(({ oid }) => oid)]);
  const byOid = new Map(rows.map(({ oid, text }) => [oid, text]));
  return ({ oid }) => byOid.get(oid) ?? '';
}

const BODY =
  /^(?<head>[\s\S]*?\nAS (?<quote>\$functionx*\$|\$procedurex*\$))(?<body>[\s\S]*)(?<end>\k<quote>\s*)$/;

/**
 * A definition with its body changed and nothing else; one whose body was parsed is changed as a whole.
 * @param text as {@link definitions} gives it
 */
export function withBody(text: string, change: (body: string) => string): string {
  const { head, body, end } = BODY.exec(text)?.groups ?? {};
  return head === undefined || body === undefined ? change(text) : `${head}${change(body)}${end ?? ''}`;
}
