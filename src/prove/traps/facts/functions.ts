// Functions and procedures users wrote: one question.
import { ident, qualified } from '../../../sql.ts';
import type { Fact } from '../check.ts';
import { inScope, notOfExtension } from './naming.ts';
import { withoutComments, withoutText } from './sql-text.ts';
import { executedTexts, type Statement, statementsOf } from './statements.ts';

export interface Routine {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Types of its arguments as ALTER FUNCTION takes them. */
  readonly arguments: string;
  readonly kind: 'function' | 'procedure';
  /** `sql`, `plpgsql`, … */
  readonly language: string;
  /** Its body was parsed when it was made (BEGIN ATOMIC, RETURN): names in it mean what they meant then. */
  readonly parsed: boolean;
  /** Its text without comments, in whatever language; as PostgreSQL writes it where it was parsed. */
  readonly source: string;
  /** The same where it is SQL or PL/pgSQL; empty otherwise, so that no words of another language are taken for SQL. */
  readonly body: string;
  /** The body with what stands in quotes emptied: words in it are names and keywords. */
  readonly code: string;
  /** The body as statements. */
  readonly statements: readonly Statement[];
  /** What it hands to EXECUTE, as far as it stands in the text. */
  readonly executed: readonly string[];
  /** What it runs: the code and what it hands to EXECUTE, strings emptied. */
  readonly runs: readonly string[];
  readonly definer: boolean;
  readonly owner: string;
  /** Settings fixed on it: `search_path=pg_catalog`. */
  readonly settings: readonly string[];
  readonly volatility: 'i' | 's' | 'v';
  readonly isTrigger: boolean;
  /** Everybody may call it. */
  readonly forPublic: boolean;
  /** The application's roles that may call it, through PUBLIC too. */
  readonly callers: readonly string[];
}

type Row = Omit<Routine, 'body' | 'code' | 'statements' | 'executed' | 'runs'>;

const ROUTINES_SQL = `
  SELECT p.oid, n.nspname AS schema, p.proname AS name, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
         CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, l.lanname AS language,
         p.prosqlbody IS NOT NULL AS parsed, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) AS source, p.prosecdef AS definer,
         pg_catalog.pg_get_userbyid(p.proowner)::pg_catalog.text AS owner, coalesce(p.proconfig, '{}') AS settings,
         p.provolatile AS volatility, p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AS "isTrigger",
         EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
                 WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') AS "forPublic",
         ARRAY(SELECT r.name FROM pg_catalog.unnest($1::pg_catalog.text[]) r(name)
               WHERE pg_catalog.has_function_privilege(r.name, p.oid, 'EXECUTE')
                 AND pg_catalog.has_schema_privilege(r.name, n.oid, 'USAGE')) AS callers
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE p.prokind IN ('f', 'p') AND l.lanname NOT IN ('c', 'internal')
    AND ${inScope('n')} AND ${notOfExtension('pg_proc', 'p.oid')}
  ORDER BY n.nspname, p.proname, 4`;

const KNOWN_SQL = `
  SELECT r.rolname::pg_catalog.text AS name FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::pg_catalog.text[])`;

/** Every function and procedure that is looked at, and one by its oid. */
export interface Routines {
  readonly all: readonly Routine[];
  readonly byOid: (oid: number) => Routine | undefined;
}

export const routines: Fact<Routines> = {
  name: 'routines',
  read: async ({ query, roles }) => {
    const known = await query<{ name: string }>(KNOWN_SQL, [roles]);
    const rows = await query<Row>(ROUTINES_SQL, [known.map(({ name }) => name)]);
    const all = rows.map(routineOf);
    const byOid = new Map(all.map((routine) => [routine.oid, routine]));
    return { all, byOid: (oid) => byOid.get(oid) };
  },
};

function routineOf(row: Row): Routine {
  const source = row.parsed ? parsedBody(row.source) : withoutComments(row.source);
  const body = row.language === 'sql' || row.language === 'plpgsql' ? source : '';
  const code = withoutText(body);
  const statements = statementsOf(body, row.language);
  const executed = row.language === 'plpgsql' ? executedTexts(statements).map(withoutComments) : [];
  return { ...row, source, body, code, statements, executed, runs: [code, ...executed.map(withoutText)] };
}

// BEGIN ATOMIC … END around statements, or RETURN and an expression.
function parsedBody(text: string): string {
  return text
    .replace(/^\s*BEGIN ATOMIC\b/, '')
    .replace(/\bEND\s*$/, '')
    .replace(/^\s*RETURN\b/, 'SELECT');
}

/** How a function is called in a finding: `function shop.total(integer)`. */
export function routineSubject(of: Routine): string {
  return `${of.kind} ${of.schema}.${of.name}(${of.arguments})`;
}

/** The function as ALTER, REVOKE and DROP name it: `FUNCTION "shop"."total"(integer)`. */
export function routineSql(of: Routine): string {
  return `${of.kind.toUpperCase()} ${qualified(of)}(${of.arguments})`;
}

/** Whether its search path is fixed, and to what: on the function, or by the first thing its body does. */
export function fixedPath(of: Routine): string | undefined {
  const prefix = 'search_path=';
  const fixed = of.settings.find((setting) => setting.startsWith(prefix))?.slice(prefix.length);
  return fixed ?? pathSetFirst(of);
}

const SETS_PATH = /^set\s+(?:local\s+|session\s+)?search_path\s*(?:=|\bto\b)([\s\S]*)$/i;

// What is computed for a declaration is computed before.
function pathSetFirst({ statements }: Routine): string | undefined {
  const first = statements.find(({ text, kind }) => kind !== 'declaration' || /:=|=|\bdefault\b/i.test(text));
  const path =
    first?.kind === 'statement' && first.within.length === 1 ? SETS_PATH.exec(first.text)?.[1] : undefined;
  return path?.replaceAll("'", '').trim();
}

/** A search path that finds what the function's own schema holds and nothing a caller could plant. */
export function safePath(schema: string): string {
  return `pg_catalog, ${ident(schema)}, pg_temp`;
}
