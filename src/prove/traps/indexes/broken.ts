// HT704: an index that is not valid. HT708: an index over a function that is falsely IMMUTABLE. HT712: a partial index that
// misses NULL. HT713: full text that loses rows.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { type Routine, routineSubject, routines } from '../facts/functions.ts';
import { type Index, indexes } from '../facts/indexes.ts';
import { partSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';
import { armsOf } from './parts.ts';

const BUILDING_SQL = `SELECT p.index_relid AS oid FROM pg_catalog.pg_stat_progress_create_index p`;

export const invalidIndex: TrapCheck = {
  code: 'HT704',
  name: 'index-not-valid',
  title: 'An index that is not valid',
  severity: 'error',
  traps: ['BX-25'],
  find: async ({ facts, query }) => {
    const { byOid } = await facts(relations);
    const building = new Set((await query<{ oid: number }>(BUILDING_SQL)).map(({ oid }) => oid));
    return (await facts(indexes)).all.flatMap((index): readonly Draft[] => {
      const table = byOid(index.relation);
      if (index.valid || building.has(index.oid) || index.parent !== null || table === undefined) return [];
      return [
        {
          subject: partSubject('index', index.name, table),
          what: 'It is marked as not valid: CREATE INDEX CONCURRENTLY failed on it, or a partition lacks its part.',
          effect: `No query uses it, every write still pays for it${index.unique ? ', it keeps nothing unique' : ''}, and CREATE INDEX IF NOT EXISTS "${index.name}" says that it already exists, skipping.`,
          mend: rebuilt(table, index),
          advice: index.unique
            ? 'Look for rows that are there twice before it is built again.'
            : 'It is built again from what it is defined as.',
        },
      ];
    });
  },
  page: {
    what: 'What a failed `CREATE INDEX CONCURRENTLY` leaves behind: a duplicate key, a timeout, a cancelled session.',
    effect:
      'The index exists with `indisvalid = false`. It is written and never read; a unique one keeps nothing unique. The retry with `IF NOT EXISTS` says `relation "…" already exists, skipping` and reports success.',
    mend: 'Drop it and create it again, concurrently, and look at `indisvalid` afterwards.',
  },
};

function rebuilt(table: Relation, index: Index): readonly string[] {
  if (index.constraint !== null) return [`REINDEX INDEX ${qualified(index)}`];
  if (/_cc(?:new|old)\d*$/.test(index.name)) return [`DROP INDEX CONCURRENTLY IF EXISTS ${qualified(index)}`];
  if (table.kind === 'p') {
    return [`DROP INDEX IF EXISTS ${qualified(index)}`, index.definition.replace(' ON ONLY ', ' ON ')];
  }
  return [
    `DROP INDEX CONCURRENTLY IF EXISTS ${qualified(index)}`,
    index.definition.replace(/^CREATE (UNIQUE )?INDEX /, 'CREATE $1INDEX CONCURRENTLY '),
  ];
}

const UNSTABLE =
  /\b(?:now\s*\(|current_date|current_time|current_timestamp|localtime|localtimestamp|clock_timestamp\s*\(|statement_timestamp\s*\(|random\s*\(|current_setting\s*\(|current_user|session_user)|\bfrom\s+[a-z_"]/i;

export const falselyImmutable: TrapCheck = {
  code: 'HT708',
  name: 'index-over-falsely-immutable',
  title: 'An index rests on a function that is marked IMMUTABLE and is not',
  severity: 'error',
  traps: ['B0-03'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const functions = await facts(routines);
    return (await facts(indexes)).all.flatMap((index) => {
      const table = byOid(index.relation);
      if (table === undefined || index.parent !== null) return [];
      return index.calls.flatMap((oid): readonly Draft[] => {
        const routine = functions.byOid(oid);
        if (routine === undefined || !changes(routine)) return [];
        return [
          {
            subject: partSubject('index', index.name, table),
            what: `${routineSubject(routine)}, which it calls, is marked IMMUTABLE and reads the clock, a setting or a table.`,
            effect:
              'Its result is stored when the row is written and never looked at again: the index holds rows that no longer belong there and lacks others, and queries that use it give wrong answers.',
            mend: [],
            advice:
              'Index the column itself, and leave the clock to the query; a narrow window is cheap with (tenant, time) and partitions.',
          },
        ];
      });
    });
  },
  page: {
    what: 'A partial index `WHERE is_recent(created_at)`, where the function says IMMUTABLE because PostgreSQL asked for it: `functions in index predicate must be marked IMMUTABLE`.',
    effect:
      'The predicate is evaluated when a row is written. A row that was recent then stays in the index for ever; PostgreSQL trusts the label.',
    mend: 'An ordinary index on the column, or a partial one with a literal date that a job replaces.',
  },
};

function changes({ volatility, code }: Routine): boolean {
  return volatility === 'i' && UNSTABLE.test(code);
}

export const partialMissesNull: TrapCheck = {
  code: 'HT712',
  name: 'partial-index-misses-null',
  title: 'A partial index with <> leaves out rows without a value',
  severity: 'info',
  traps: ['B3-23'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(indexes)).all.flatMap((index) => {
      const table = byOid(index.relation);
      if (table === undefined || index.predicate === null || index.parent !== null) return [];
      return armsOf(index.predicate).flatMap((arm): readonly Draft[] => {
        const named = /^\(?"?([\w$]+)"?\)?(?:::[\w ]+)? <> /.exec(arm)?.[1];
        const column = table.columns.find(({ name }) => name === named);
        if (column === undefined || column.notNull) return [];
        return [
          {
            subject: partSubject('index', index.name, table),
            what: `Its predicate is ${index.predicate ?? ''}, and ${column.name} may be NULL.`,
            effect: `NULL <> 'x' is not true: rows without a ${column.name} are not in it, and a query with a parameter in place of the literal cannot use it.`,
            mend: [`ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column.name)} SET NOT NULL`],
            advice: 'Give rows that hold NULL a value first.',
          },
        ];
      });
    });
  },
  page: {
    what: "`CREATE INDEX … WHERE status <> 'completed'` over a nullable `status`.",
    effect:
      "Rows whose status is NULL are in no such index, and the query `status <> 'completed'` does not find them either. A prepared statement with `status = $1` cannot use it at all.",
    mend: 'Fill the rows that have none, then `ALTER TABLE … ALTER COLUMN status SET NOT NULL`; or an index without the condition.',
  },
};

export const fullTextLosesNull: TrapCheck = {
  code: 'HT713',
  name: 'full-text-loses-null',
  title: 'A row is not found by full text when one of its columns is NULL',
  severity: 'warning',
  traps: ['B3-24'],
  find: async ({ facts }) => {
    const { tables, byOid } = await facts(relations);
    const searched = [
      ...(await facts(indexes)).all.flatMap((index) => {
        const table = byOid(index.relation);
        if (table === undefined || index.parent !== null || index.expressions === null) return [];
        return { table, subject: partSubject('index', index.name, table), text: index.expressions };
      }),
      ...tables.flatMap((table) =>
        table.columns
          .filter(({ generated }) => generated && table.parent === null)
          .map(({ name, default: text }) => ({
            table,
            subject: partSubject('column', name, table),
            text: text ?? '',
          })),
      ),
    ];
    return searched.flatMap(({ table, subject, text }): readonly Draft[] => {
      const lost = nullable(table, text);
      if (!text.includes('to_tsvector(') || !text.includes('||') || lost.length === 0) return [];
      return [
        {
          subject,
          what: `Its text is ${text.replaceAll(/\s+/g, ' ')}, and ${lost.join(', ')} may be NULL.`,
          effect: `A row without ${lost[0]} has no words at all and is never found, whatever stands in the others.`,
          mend: [],
          advice: `Write coalesce(${lost[0]}, '') for each of them, in a stored generated tsvector column; an index on an expression is used only by queries that repeat it word for word.`,
        },
      ];
    });
  },
  page: {
    what: "`to_tsvector('english', title || ' ' || description)` in an index or a generated column.",
    effect: "`NULL || 'x'` is NULL: a row with a description and no title is not found by any word.",
    mend: "`coalesce(title, '') || ' ' || coalesce(description, '')`.",
  },
};

function nullable({ columns }: Relation, text: string): readonly string[] {
  const words = text.replaceAll(/COALESCE\([^,()]*(?:\([^()]*\)[^,()]*)*,/g, ' ').replaceAll(/'[^']*'/g, ' ');
  return columns
    .filter(
      ({ name, notNull }) =>
        !notNull && new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$(])`).test(words),
    )
    .map(({ name }) => name);
}
