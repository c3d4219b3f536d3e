// Reads the structure out of the catalogue. PostgreSQL deparses its own objects; nothing is parsed here.
import type { CatalogueQuery } from '../../../define/trait.ts';
import type { Left } from '../copy.ts';
import { ACTING_PARTS, CODE_PARTS, EVENT_PARTS } from './code.ts';
import { OUTWARD_SQL, type Part } from './names.ts';
import { RELATION_PARTS } from './relations.ts';
import { RIGHT_PARTS } from './rights.ts';
import { DOMAIN_CONSTRAINTS, TYPE_PARTS } from './data-types.ts';

/** SQL that makes one object or gives it a property; several statements stand or fall together. */
export interface Statement {
  readonly subject: string;
  readonly sql: string;
}

/** What was read: the statements by part, in the order to run them, and the parts that could not be read. */
export interface Reading {
  readonly parts: readonly (readonly Statement[])[];
  readonly left: readonly Left[];
}

const PARTS: readonly Part[] = [
  ...TYPE_PARTS,
  ...CODE_PARTS,
  DOMAIN_CONSTRAINTS,
  ...RELATION_PARTS,
  ...ACTING_PARTS,
  ...RIGHT_PARTS,
  ...EVENT_PARTS,
];

/** What a copy never has, and why. */
const NOT_COPIED_SQL = `
  SELECT 'foreign table ' || n.nspname || '.' || c.relname AS subject,
         'it is an ordinary table in the copy, so that nothing done there reaches another server or a file' AS why
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f'
  UNION ALL
  SELECT 'extension ' || e.extname, 'a copy has no way out of itself' FROM pg_catalog.pg_extension e
  WHERE e.extname IN (${OUTWARD_SQL})
  UNION ALL
  SELECT 'foreign server ' || s.srvname, 'a copy has no way out of itself' FROM pg_catalog.pg_foreign_server s
  UNION ALL
  SELECT 'subscription ' || s.subname, 'a copy receives nothing from another server' FROM pg_catalog.pg_subscription s
  WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  UNION ALL
  SELECT 'large objects', pg_catalog.format('there are %s; in the copy one stands for all with the same owner and grants', pg_catalog.count(*))
  FROM pg_catalog.pg_largeobject_metadata HAVING pg_catalog.count(*) > 1`;

/**
 * Reads every object's DDL.
 * @param query reads the target in one snapshot with pg_catalog alone as its path; a refused query must not end it
 * @returns statements, and what may not be read, with PostgreSQL's message
 */
export async function readStructure(query: CatalogueQuery): Promise<Reading> {
  const parts: (readonly Statement[])[] = [];
  const left: Left[] = [];
  for (const part of PARTS) {
    const rows = await readPart(query, part, left);
    parts.push(rows.filter((row) => row.sql !== null));
  }
  left.push(...(await query<Left>(NOT_COPIED_SQL).catch(() => [])));
  return { parts, left };
}

async function readPart(query: CatalogueQuery, part: Part, left: Left[]): Promise<readonly Statement[]> {
  try {
    return await query<Statement>(part.sql);
  } catch (error) {
    left.push({
      subject: part.of,
      why: `they could not be read: ${error instanceof Error ? error.message : String(error)}`,
    });
    return [];
  }
}
