// HT709: an index that forbids HOT updates. HT710: statistics never gathered. HT711: autovacuum switched off. HT715: a GIN
// index for ->>.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { routines } from '../facts/functions.ts';
import { indexes } from '../facts/indexes.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';
import { relationsNamed } from '../facts/sql-text.ts';
import { views } from '../facts/views.ts';

const COUNTER =
  /^(?:last_(?:accessed|used|seen|activity|hit|heartbeat|read)(?:_at|_on)?|(?:hit|access|view|read|use|usage)_count|hits|heartbeat_at)$/;
const UPDATES_SQL = `
  SELECT s.relid AS relation, s.n_tup_upd::pg_catalog.float8 AS updates, s.n_tup_hot_upd::pg_catalog.float8 AS hot
  FROM pg_catalog.pg_stat_user_tables s WHERE s.n_tup_upd >= 1000`;

export const killsHot: TrapCheck = {
  code: 'HT709',
  name: 'index-forbids-hot-updates',
  title: 'A column that is written at every read is indexed',
  severity: 'info',
  traps: ['B3-15'],
  find: async ({ facts, query }) => {
    const { byOid } = await facts(relations);
    const updates = await query<{ relation: number; updates: number; hot: number }>(UPDATES_SQL);
    return (await facts(indexes)).all.flatMap((index): readonly Draft[] => {
      const table = byOid(index.relation);
      const column = index.columns.find((name) => name !== null && COUNTER.test(name));
      if (table === undefined || column === undefined || column === null) return [];
      if (index.unique || index.parent !== null || index.method === 'brin') return [];
      const seen = updates.find(({ relation }) => relation === table.oid);
      const cold = seen !== undefined && seen.hot < seen.updates / 2;
      return [
        {
          subject: partSubject('index', index.name, table),
          severity: cold ? 'warning' : 'info',
          what: `Its key holds ${column}, which a read writes.${cold ? ` Of ${seen.updates} updates of the table ${seen.hot} were HOT.` : ''}`,
          effect:
            'An update that changes an indexed column is never HOT: each one writes every index of the table and leaves a dead entry in each.',
          mend: [`DROP INDEX${table.kind === 'p' ? '' : ' CONCURRENTLY'} ${qualified(index)}`],
          advice:
            'Gather hits in memory and write them in batches, or keep them in a narrow table of their own with a low fillfactor.',
        },
      ];
    });
  },
  page: {
    what: '`CREATE INDEX … ON query_cache (last_accessed)`, and `UPDATE … SET last_accessed = now()` at every hit.',
    effect:
      'Measured: with the index 0 of 20,000 updates were HOT, without it 19,999. Each update that is not HOT writes a new entry into every index.',
    mend: 'Drop the index. Gather hits and write them in batches.',
  },
};

// Guesses about a few rows mislead nobody.
const UNKNOWN_SQL = `
  SELECT c.oid, c.relkind AS kind
  FROM pg_catalog.pg_class c
  WHERE c.reltuples < 0 AND c.oid = ANY ($1::pg_catalog.oid[])
    AND CASE c.relkind
      WHEN 'p' THEN (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid))
                     FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
      ELSE pg_catalog.pg_relation_size(c.oid) END > 1048576`;

export const neverAnalyzed: TrapCheck = {
  code: 'HT710',
  name: 'statistics-never-gathered',
  title: 'A table holds rows and was never analysed',
  severity: 'warning',
  traps: ['B4-33'],
  find: async ({ facts, query }) => {
    const { tables, byOid, root } = await facts(relations);
    const suspects = tables.filter((table) => table.rowsEstimate < 0 && root(table) === table);
    if (suspects.length === 0) return [];
    const rows = await query<{ oid: number; kind: string }>(UNKNOWN_SQL, [suspects.map(({ oid }) => oid)]);
    return rows.flatMap(({ oid, kind }): readonly Draft[] => {
      const table = byOid(oid);
      if (table === undefined) return [];
      return [
        {
          subject: relationSubject(table),
          what:
            kind === 'p'
              ? 'Its partitions are larger than 1 MB together; the partitioned table itself was never analysed.'
              : 'It is larger than 1 MB and was never analysed.',
          effect:
            kind === 'p'
              ? 'Autovacuum analyses partitions and never their parent: the planner knows nothing of the whole, and joins and groups over it are planned on guesses.'
              : 'The planner guesses how many rows a condition leaves.',
          mend: [`ANALYZE ${qualified(table)}`],
          advice: 'Let a job do it for partitioned tables, daily or after each new partition.',
        },
      ];
    });
  },
  page: {
    what: 'A partitioned table that nobody runs ANALYZE on, since autovacuum does that elsewhere.',
    effect:
      'Autovacuum does not analyse partitioned tables, because they hold no rows themselves; `reltuples` stays -1, and statistics over all partitions (distinct values, correlation) are never there.',
    mend: '`ANALYZE parent` as a job of its own, as often as the data changes its shape: autovacuum looks at the partitions alone.',
  },
};

export const autovacuumOff: TrapCheck = {
  code: 'HT711',
  name: 'autovacuum-off',
  title: 'Autovacuum is switched off for a table',
  severity: 'warning',
  traps: ['B4-33'],
  find: async ({ facts }) =>
    (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      if (!table.options.some((option) => /^autovacuum_enabled=(?:false|off|0|no)$/.test(option))) return [];
      return [
        {
          subject: relationSubject(table),
          what: 'autovacuum_enabled is off in its storage parameters.',
          effect:
            'Dead rows stay and statistics grow old until somebody runs VACUUM ANALYZE; only the one against wraparound comes by itself.',
          mend: [`ALTER TABLE ${qualified(table)} RESET (autovacuum_enabled)`],
          advice: 'Where a load asked for it, run VACUUM ANALYZE once.',
        },
      ];
    }),
  page: {
    what: '`ALTER TABLE … SET (autovacuum_enabled = false)` for a bulk load.',
    effect: 'The table bloats, and the planner goes on with what it knew then.',
    mend: '`ALTER TABLE … RESET (autovacuum_enabled)`.',
  },
};

export const ginForArrow: TrapCheck = {
  code: 'HT715',
  name: 'gin-does-not-serve-arrow',
  title: 'A GIN index on jsonb, and queries that read the column with ->>',
  severity: 'info',
  traps: ['B4-31'],
  find: async ({ facts }) => {
    const { byOid, byName } = await facts(relations);
    const texts = [
      ...[...(await facts(views)).values()].map(({ oid, definition, reads }) => ({
        of: byOid(oid)?.name ?? '',
        text: definition,
        reads,
      })),
      ...(await facts(routines)).all.map(({ name, schema, body, code }) => ({
        of: name,
        text: body,
        reads: relationsNamed(code).map((named) => byName({ schema, ...named })?.oid),
      })),
    ];
    const all = (await facts(indexes)).all;
    return all.flatMap((index): readonly Draft[] => {
      const table = byOid(index.relation);
      const [column] = index.columns;
      if (
        index.method !== 'gin' ||
        index.parent !== null ||
        table === undefined ||
        typeof column !== 'string'
      )
        return [];
      const type = table.columns.find(({ name }) => name === column)?.type;
      const asked = new RegExp(
        String.raw`\b${escaped(column)}"?\s*->>\s*'(\w+)'(?:::text)?\)?\s*(?:=|IN\b)`,
        'i',
      );
      const found = texts.find(({ text, reads }) => asked.test(text) && reads.includes(table.oid));
      if (type !== 'jsonb' || found === undefined) return [];
      const key = asked.exec(found.text)?.[1] ?? '';
      if (
        all.some((other) => other.relation === table.oid && other.expressions?.includes(`'${key}'`) === true)
      )
        return [];
      return [
        {
          subject: partSubject('index', index.name, table),
          what: `${found.of} compares ${column} ->> '${key}', which GIN does not serve.`,
          effect: `The index answers @>, ? and their like; ${column} ->> '${key}' = … reads the whole table.`,
          mend: [],
          advice: `Ask ${ident(column)} @> '{"${key}": …}', or index a stored generated column of ${column} ->> '${key}'; under row security only the column can be searched.`,
        },
      ];
    });
  },
  page: {
    what: "`USING gin (configuration)` and `WHERE configuration->>'model' = 'm5'`.",
    effect: 'The query reads the whole table: GIN answers `@>`, `?`, `?|` and `?&`.',
    mend: '`configuration @> \'{"model": "m5"}\'`, or a stored generated column with a btree.',
  },
};

function escaped(name: string): string {
  return name.replaceAll(/[^\w]/g, String.raw`\$&`);
}
