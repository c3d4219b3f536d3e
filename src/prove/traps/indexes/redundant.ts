// HT701: a foreign key without an index. HT702: an index that another one makes needless. HT703: an index of one value.
// HT714: indexes that outweigh the rows.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { type Constraint, constraints } from '../facts/constraints.ts';
import { type Index, indexes } from '../facts/indexes.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';
import { armsOf, keysOf } from './parts.ts';

export const foreignKeyWithoutIndex: TrapCheck = {
  code: 'HT701',
  name: 'foreign-key-without-index',
  title: 'A foreign key without an index',
  severity: 'warning',
  traps: ['B4-30'],
  find: async ({ facts, boundaries }) => {
    const { byOid } = await facts(relations);
    const { of } = await facts(indexes);
    const { holders } = await facts(rights);
    const owners = new Set(boundaries.flatMap(({ tables }) => tables.map(({ column }) => column)));
    return (await facts(constraints)).all.flatMap((key): readonly Draft[] => {
      const [table, target] = [byOid(key.relation), byOid(key.references ?? 0)];
      if (key.kind !== 'f' || key.inherited || table === undefined || target === undefined) return [];
      if (of(table.oid).some((index) => serves(index, key, owners))) return [];
      const columns = key.columns.map(ident).join(', ');
      const stays = holders(target.oid, 'select').length > 0 && holders(target.oid, 'delete').length === 0;
      return [
        {
          subject: partSubject('foreign key', key.name, table),
          severity: stays ? 'info' : 'warning',
          what: `No index of ${table.schema}.${table.name} begins with ${key.columns.join(', ')}.`,
          effect: `Deleting a row of ${target.schema}.${target.name}, or changing its key, reads all of ${table.name} each time; joins from ${target.name} do too.`,
          mend: [`CREATE INDEX${concurrently(table)} ON ${qualified(table)} (${columns})`],
          advice:
            'A foreign key of a table that stays small, or to rows that are never deleted, may do without.',
        },
      ];
    });
  },
  page: {
    what: '`REFERENCES users (id)`. PostgreSQL makes an index for the referenced key and none for the referencing column.',
    effect:
      'For each deleted user every referencing table is read whole, under a lock, once per foreign key. With a cascade of three tables a delete of one row takes minutes.',
    mend: '`CREATE INDEX CONCURRENTLY ON orders (user_id)`; where the table belongs to tenants, `(tenant_id, user_id)`.',
  },
};

function concurrently({ kind }: Relation): string {
  return kind === 'p' ? '' : ' CONCURRENTLY';
}

/** Its columns lead in any order; or one that narrows by itself does, which a tenant's column does not. */
function serves(index: Index, key: Constraint, owners: ReadonlySet<string>): boolean {
  if (!index.valid || !['btree', 'hash'].includes(index.method)) return false;
  const arms = index.predicate === null ? [] : armsOf(index.predicate);
  if (!arms.every((arm) => key.columns.some((column) => arm === `${column} IS NOT NULL`))) return false;
  const [first] = index.columns;
  if (typeof first !== 'string' || !key.columns.includes(first)) return false;
  if (key.columns.length > 1 && owners.size > 0 && !owners.has(first)) return true;
  const leading = index.columns.slice(0, key.columns.length);
  return key.columns.every((column) => leading.includes(column));
}

const REPLICA_SQL = `SELECT i.indexrelid AS oid FROM pg_catalog.pg_index i WHERE i.indisreplident`;

export const redundantIndex: TrapCheck = {
  code: 'HT702',
  name: 'index-redundant',
  title: 'An index that another index makes needless',
  severity: 'info',
  traps: ['B4-30', 'B3-16', 'B0-04'],
  find: async ({ facts, query }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(indexes);
    const replica = new Set((await query<{ oid: number }>(REPLICA_SQL)).map(({ oid }) => oid));
    return tables.flatMap((table) => {
      const own = of(table.oid).filter(({ valid, parent }) => valid && parent === null);
      return own.flatMap((index): readonly Draft[] => {
        if (index.constraint !== null || replica.has(index.oid)) return [];
        const other = own.find((one) => coversAll(one, index));
        return other === undefined ? [] : [needless(table, index, other)];
      });
    });
  },
  page: {
    what: '`slug text UNIQUE` and `CREATE INDEX idx_slug ON t (slug)`; or `(organization_id)` beside `UNIQUE (organization_id, user_id)`.',
    effect:
      'The UNIQUE already made an index that serves the same queries. The second one costs every write and memory, and is never needed.',
    mend: '`DROP INDEX CONCURRENTLY`. An index on the first column alone is smaller than the wider one: keep it where that counts.',
  },
};

function coversAll(other: Index, index: Index): boolean {
  if (other.oid === index.oid || other.method !== index.method || !holdsAllOf(other, index)) return false;
  const [wide, narrow] = [keysOf(other), keysOf(index)];
  if (!narrow.every((key, at) => wide[at] === key)) return false;
  const carried = [...other.included, ...other.columns];
  if (!index.included.every((column) => carried.includes(column))) return false;
  if (wide.length > narrow.length) return index.method === 'btree' && !index.unique;
  if (index.unique && (!other.unique || other.nullsNotDistinct !== index.nullsNotDistinct)) return false;
  // Of two alike the one that keeps a key stays, then the one that carries more, then the older.
  const rank = (one: Index): number =>
    (one.constraint === null ? 0 : 4) +
    (one.unique ? 2 : 0) +
    (one.included.length > index.included.length ? 1 : 0);
  return rank(other) === rank(index) ? other.oid < index.oid : rank(other) > rank(index);
}

/** The same rows; or all of them, where the other leaves out those without a key, which it is never asked for. */
function holdsAllOf(other: Index, index: Index): boolean {
  if (other.predicate === index.predicate) return true;
  if (other.predicate !== null || index.predicate === null) return false;
  return armsOf(index.predicate).every((arm) =>
    index.columns.some((column) => arm === `${column} IS NOT NULL`),
  );
}

function needless(table: Relation, index: Index, other: Index): Draft {
  const same = keysOf(other).length === keysOf(index).length;
  return {
    subject: partSubject('index', index.name, table),
    severity: same ? 'warning' : 'info',
    what: same
      ? `${other.name} is an index of the same keys (${keysOf(index).join(', ')}).`
      : `${other.name} (${keysOf(other).join(', ')}) begins with its keys (${keysOf(index).join(', ')}).`,
    effect: 'Every INSERT and most UPDATEs write both; whatever this one finds, the other one finds.',
    mend: [`DROP INDEX${concurrently(table)} ${qualified(index)}`],
    advice: same
      ? 'Nothing is lost with it.'
      : 'It is smaller than the other one: keep it where it is read far more often than it is written.',
  };
}

const NULLS_SQL = `
  SELECT s.schemaname AS schema, s.tablename AS name, s.attname AS column, s.null_frac AS nulls
  FROM pg_catalog.pg_stats s WHERE NOT s.inherited AND s.null_frac > 0.5
    AND s.schemaname NOT IN ('pg_catalog', 'information_schema')`;

export const indexOfOneValue: TrapCheck = {
  code: 'HT703',
  name: 'index-of-one-value',
  title: 'A key of an index has the same value in every entry',
  severity: 'info',
  traps: ['B4-38', 'B3-25'],
  find: async ({ facts, query }) => {
    const { byOid } = await facts(relations);
    const suspects = (await facts(indexes)).all.flatMap((index) => {
      const table = byOid(index.relation);
      if (index.predicate === null || index.unique || index.parent !== null || table === undefined) return [];
      const fixed = armsOf(index.predicate).flatMap((arm) => fixedBy(arm));
      const constant = index.columns.filter((column) => column !== null && fixed.includes(column));
      return constant.length === 0 ? [] : { table, index, constant: constant.map(String) };
    });
    const nulls = suspects.length === 0 ? new Set<string>() : await mostlyNull(query);
    return suspects.map(({ table, index, constant }) =>
      oneValue(table, index, { constant, mostly: constant.every((column) => nulls.has(key(table, column))) }),
    );
  },
  page: {
    what: '`CREATE INDEX … (deleted_at) WHERE deleted_at IS NULL`, or `(email, is_active) WHERE is_active`.',
    effect:
      'The predicate fixes the column: every entry holds NULL, or true. The key narrows nothing; where nearly all rows satisfy the predicate, the index is as long as the table and never chosen.',
    mend: 'Drop it, and put `WHERE deleted_at IS NULL` on indexes whose keys are searched for.',
  },
};

async function mostlyNull(query: TrapContext['query']): Promise<ReadonlySet<string>> {
  const rows = await query<{ schema: string; name: string; column: string }>(NULLS_SQL);
  return new Set(rows.map((row) => key(row, row.column)));
}

function key(of: { readonly schema: string; readonly name: string }, column: string): string {
  return JSON.stringify([of.schema, of.name, column]);
}

function fixedBy(arm: string): readonly string[] {
  const found =
    /^"?([\w$]+)"? IS NULL$/.exec(arm) ??
    /^(?:NOT )?"?([\w$]+)"?$/.exec(arm) ??
    /^\(?"?([\w$]+)"?\)?(?:::[\w ]+)? = (?:'[^']*'(?:::[\w" ]+)?|-?[\d.]+|true|false)$/.exec(arm);
  return found?.[1] === undefined ? [] : [found[1]];
}

function oneValue(
  table: Relation,
  index: Index,
  { constant, mostly }: { readonly constant: readonly string[]; readonly mostly: boolean },
): Draft {
  const whole = constant.length === index.columns.length;
  const left = keysOf(index).filter((_, at) => !constant.includes(index.columns[at] ?? ''));
  const where = ` WHERE ${index.predicate ?? ''}`;
  return {
    subject: partSubject('index', index.name, table),
    severity: whole && mostly ? 'warning' : 'info',
    what: `Its predicate ${index.predicate ?? ''} leaves one value for ${constant.join(', ')}${whole ? ', its whole key' : ''}.`,
    effect:
      mostly && whole
        ? 'Every entry is the same and more than half of the rows are in it: no query is made faster by it.'
        : 'That key tells no two entries apart; it costs space and writes.',
    mend: [
      ...(whole || index.method !== 'btree'
        ? []
        : [`CREATE INDEX${concurrently(table)} ON ${qualified(table)} (${left.join(', ')})${where}`]),
      `DROP INDEX${concurrently(table)} ${qualified(index)}`,
    ],
    advice: whole
      ? 'Where the predicate picks few rows out of many, an index whose key is what such queries sort or search by is worth more.'
      : 'The same index without that key does the same.',
  };
}

const WEIGHT_SQL = `
  SELECT i.indrelid AS relation, pg_catalog.sum(c.relpages)::pg_catalog.float8 AS pages
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  GROUP BY i.indrelid`;
/** 10 MB: below it nobody feels an index. */
const PAGES = 1280;

export const indexesOutweighRows: TrapCheck = {
  code: 'HT714',
  name: 'indexes-outweigh-rows',
  title: 'The indexes of a table are larger than its rows',
  severity: 'info',
  traps: ['B0-04'],
  find: async ({ facts, query }) => {
    const { byOid } = await facts(relations);
    const weights = await query<{ relation: number; pages: number }>(WEIGHT_SQL);
    return weights.flatMap(({ relation, pages }) => {
      const table = byOid(relation);
      if (table === undefined || table.pages < PAGES || pages <= table.pages) return [];
      const percent = Math.round((pages / table.pages) * 100);
      return {
        subject: relationSubject(table),
        what: `Its indexes take ${percent} % of what its rows take (${mb(pages)} to ${mb(table.pages)}), by the last ANALYZE.`,
        effect: 'Every write goes to each of them, and they compete with the rows for memory.',
        mend: [],
        advice:
          'pg_stat_user_indexes.idx_scan says since the last reset which are never read; drop those, and those another one covers.',
      };
    });
  },
  page: {
    what: 'An index for every query somebody thought of.',
    effect:
      'A table of 200,000 narrow rows with its key, one GIN index, one compound and one covering index has indexes of 123 % of its rows.',
    mend: 'Look at `idx_scan` of pg_stat_user_indexes over a whole month of work, replicas too, and drop what nothing reads.',
  },
};

function mb(pages: number): string {
  return `${Math.round(pages / 128)} MB`;
}
