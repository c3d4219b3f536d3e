// Indexes of tables and materialised views: one question.
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';
import { inScope, notOfExtension } from './naming.ts';

export interface Index {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly relation: number;
  readonly unique: boolean;
  readonly primary: boolean;
  readonly valid: boolean;
  /** Checked at once, not at the end of the transaction. */
  readonly immediate: boolean;
  readonly nullsNotDistinct: boolean;
  /** `btree`, `gin`, … */
  readonly method: string;
  /** Key columns in order; null where an expression stands. */
  readonly columns: readonly (string | null)[];
  /** Columns that are only carried along. */
  readonly included: readonly string[];
  /** Expressions of the key as text, in order. */
  readonly expressions: string | null;
  /** WHERE of a partial index. */
  readonly predicate: string | null;
  /** The constraint it serves. */
  readonly constraint: string | null;
  /** The index of the partitioned table it is a part of. */
  readonly parent: number | null;
  readonly definition: string;
  /** Functions its expressions call that are not built in. */
  readonly calls: readonly number[];
}

const INDEXES_SQL = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, i.indrelid AS relation, i.indisunique AS unique,
         i.indisprimary AS primary, i.indisvalid AS valid, i.indimmediate AS immediate,
         i.indnullsnotdistinct AS "nullsNotDistinct", m.amname AS method,
         ARRAY(SELECT a.attname::pg_catalog.text
               FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY u(num, at)
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num AND u.num <> 0
               WHERE u.at <= i.indnkeyatts ORDER BY u.at) AS columns,
         ARRAY(SELECT a.attname::pg_catalog.text
               FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY u(num, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num
               WHERE u.at > i.indnkeyatts ORDER BY u.at) AS included,
         pg_catalog.pg_get_expr(i.indexprs, i.indrelid) AS expressions,
         pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
         (SELECT k.conname FROM pg_catalog.pg_constraint k
          WHERE k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1) AS constraint,
         (SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid LIMIT 1) AS parent,
         pg_catalog.pg_get_indexdef(c.oid) AS definition,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
                 AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS calls
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  WHERE ${inScope('n')} AND ${notOfExtension('pg_class', 'i.indrelid')}
  ORDER BY i.indrelid, c.relname`;

/** Every index, and those of one table. */
export interface Indexes {
  readonly all: readonly Index[];
  readonly of: (relation: number) => readonly Index[];
}

export const indexes: Fact<Indexes> = {
  name: 'indexes',
  read: async ({ query }) => {
    // PostgreSQL describes the index as it is now: one that was dropped since the question began has no text.
    const asked = await query<Omit<Index, 'definition'> & { definition: string | null }>(INDEXES_SQL);
    const all = asked.filter((one): one is Index => one.definition !== null);
    const byRelation = grouped(all, ({ relation }) => relation);
    return { all, of: (relation) => byRelation.get(relation) ?? [] };
  },
};
