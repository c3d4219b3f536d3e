// Constraints of tables: one question.
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';
import { inScope } from './naming.ts';

export interface Constraint {
  readonly oid: number;
  readonly name: string;
  readonly relation: number;
  /** primary key, unique, foreign key, check, exclusion. */
  readonly kind: 'p' | 'u' | 'f' | 'c' | 'x';
  /** Column names in the order of the key. */
  readonly columns: readonly string[];
  /** Of a foreign key: the table it points at. */
  readonly references: number | null;
  readonly referenced: readonly string[];
  /** a: NO ACTION, r: RESTRICT, c: CASCADE, n: SET NULL, d: SET DEFAULT. */
  readonly onDelete: 'a' | 'r' | 'c' | 'n' | 'd' | ' ';
  readonly onUpdate: 'a' | 'r' | 'c' | 'n' | 'd' | ' ';
  readonly validated: boolean;
  /** Comes from the constraint of a partitioned table above. */
  readonly inherited: boolean;
  /** Of a key: its index. */
  readonly index: number;
  /** As `ALTER TABLE … ADD` would take it. */
  readonly definition: string;
  /** Functions a CHECK calls that are not built in. */
  readonly calls: readonly number[];
}

const CONSTRAINTS_SQL = `
  SELECT k.oid, k.conname AS name, k.conrelid AS relation, k.contype AS kind,
         ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(num, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at) AS columns,
         nullif(k.confrelid, 0) AS references,
         ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(num, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at) AS referenced,
         k.confdeltype AS "onDelete", k.confupdtype AS "onUpdate", k.convalidated AS validated,
         k.conparentid <> 0 OR (k.contype = 'c' AND NOT k.conislocal) AS inherited, k.conindid AS index,
         pg_catalog.pg_get_constraintdef(k.oid) AS definition,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE k.contype = 'c' AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
                 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS calls
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
  WHERE k.conrelid <> 0 AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND ${inScope('n')}
  ORDER BY k.conrelid, k.conname`;

/** Every constraint, those of one table, and the foreign keys that point at one. */
export interface Constraints {
  readonly all: readonly Constraint[];
  readonly of: (relation: number) => readonly Constraint[];
  readonly pointingAt: (relation: number) => readonly Constraint[];
}

export const constraints: Fact<Constraints> = {
  name: 'constraints',
  read: async ({ query }) => {
    const all = await query<Constraint>(CONSTRAINTS_SQL);
    const byRelation = grouped(all, ({ relation }) => relation);
    const byReferenced = grouped(all, ({ references }) => references);
    return {
      all,
      of: (relation) => byRelation.get(relation) ?? [],
      pointingAt: (relation) => byReferenced.get(relation) ?? [],
    };
  },
};
