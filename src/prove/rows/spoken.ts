// What the database's own code asks about: values that columns are compared with (a policy that lets admins in shows what
// it does only where somebody is one), and settings that triggers read.
import type { CatalogueQuery } from '../../define/trait.ts';
import { textsIn } from './expression.ts';

const CODE_SQL = `
  SELECT schemaname || '.' || tablename AS "table", pg_catalog.concat_ws(' ', qual, with_check) AS code FROM pg_catalog.pg_policies
  UNION ALL
  SELECT NULL, definition FROM pg_catalog.pg_views WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
  UNION ALL
  SELECT NULL, definition FROM pg_catalog.pg_matviews
  UNION ALL
  SELECT NULL, p.prosrc FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.lanname IN ('sql', 'plpgsql')`;

// `role = 'admin'`, `(role)::text = ANY (ARRAY['owner'::text, …])`, `m.role IN ('owner', 'admin')`
const COMPARED =
  /\b"?(\w+)"?\)?(?:::[\w ]+)?\s*(?:=|\bIN\b)\s*(?:ANY\s*)?[(\s]*(?:ARRAY\[)?((?:'(?:[^']|'')*'[^']{0,30}?,?\s*)+)/gi;
const MOST = 6;

const SETTING =
  /current_setting\(\s*'([\w.]+)'(?:::\w+)?[^)]*\)(?:\s*,\s*''(?:::\w+)?\s*\))?\)*(?:\s*::\s*([\w.]+))?/gi;

/** The code of a policy, a view or a function. */
export interface Code {
  /** The table whose policy it is, as `schema.name`; null for other code. */
  readonly table: string | null;
  readonly code: string;
}

/** What the code of policies, views and functions says. */
export interface Spoken {
  readonly codes: readonly Code[];
  /** Texts by the name of the column that they are compared with. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Settings of the user's own, with the type they are read as; '' where none is said. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Reads it out of the catalogue. */
export async function readSpoken(query: CatalogueQuery): Promise<Spoken> {
  const all = await query<Code>(CODE_SQL);
  const codes = all.map(({ code }) => code);
  const settings = new Map<string, string>();
  for (const [, name = '', type = ''] of codes.flatMap((code) => [...code.matchAll(SETTING)])) {
    if (name.includes('.') && (settings.get(name) ?? '') === '')
      settings.set(name, type.replace(/^pg_catalog\./, ''));
  }
  return { codes: all, values: comparedIn(codes), settings };
}

function comparedIn(codes: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const spoken = new Map<string, string[]>();
  for (const code of codes) {
    for (const [, name, texts] of code.matchAll(COMPARED)) {
      const known = spoken.get(name ?? '') ?? [];
      spoken.set(name ?? '', [...new Set([...known, ...textsIn(texts ?? '')])].slice(0, MOST));
    }
  }
  return spoken;
}
