// Triggers that users made: one question.
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';

export interface Trigger {
  readonly name: string;
  readonly relation: number;
  readonly function: number;
  readonly forEach: 'row' | 'statement';
  readonly when: 'before' | 'after' | 'instead of';
  readonly events: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  /** Columns of UPDATE OF. */
  readonly columns: readonly string[];
  /** O: fires but in replica sessions, D: disabled, R: in replica sessions alone, A: always. */
  readonly enabled: 'O' | 'D' | 'R' | 'A';
  /** A WHEN condition narrows it. */
  readonly conditional: boolean;
  /** The copy on a partition of a trigger of the partitioned table. */
  readonly inherited: boolean;
  readonly definition: string;
}

// Bits of tgtype as PostgreSQL's pg_trigger.h names them: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate, 64 instead.
const TRIGGERS_SQL = `
  SELECT t.tgname AS name, t.tgrelid AS relation, t.tgfoid AS function,
         CASE WHEN t.tgtype & 1 = 1 THEN 'row' ELSE 'statement' END AS "forEach",
         CASE WHEN t.tgtype & 2 = 2 THEN 'before' WHEN t.tgtype & 64 = 64 THEN 'instead of' ELSE 'after' END AS when,
         pg_catalog.array_remove(ARRAY[
           CASE WHEN t.tgtype & 4 = 4 THEN 'insert' END, CASE WHEN t.tgtype & 16 = 16 THEN 'update' END,
           CASE WHEN t.tgtype & 8 = 8 THEN 'delete' END, CASE WHEN t.tgtype & 32 = 32 THEN 'truncate' END], NULL) AS events,
         ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(t.tgattr::pg_catalog.int2[]) u(num)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = u.num) AS columns,
         t.tgenabled AS enabled, t.tgqual IS NOT NULL AS conditional, t.tgparentid <> 0 AS inherited,
         pg_catalog.pg_get_triggerdef(t.oid) AS definition
  FROM pg_catalog.pg_trigger t
  WHERE NOT t.tgisinternal
  ORDER BY t.tgrelid, t.tgname`;

/** Every trigger, and those of one table. */
export interface Triggers {
  readonly all: readonly Trigger[];
  readonly of: (relation: number) => readonly Trigger[];
}

export const triggers: Fact<Triggers> = {
  name: 'triggers',
  read: async ({ query }) => {
    const all = await query<Trigger>(TRIGGERS_SQL);
    const byRelation = grouped(all, ({ relation }) => relation);
    return { all, of: (relation) => byRelation.get(relation) ?? [] };
  },
};
