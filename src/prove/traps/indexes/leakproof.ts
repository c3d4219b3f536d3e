// HT705: an index that an application role cannot use under row security.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { grouped } from '../facts/grouped.ts';
import { type Index, indexes } from '../facts/indexes.ts';
import { partSubject } from '../facts/naming.ts';
import { policies } from '../facts/policies.ts';
import { type Relation, relations } from '../facts/relations.ts';
import { rights, roles } from '../facts/rights.ts';
import { keysOf } from './parts.ts';

/**
 * Each key of an index with the operators that searches in it are made of. Of an expression the functions it is made of
 * count too: a condition is leakproof when everything in it is.
 * @see https://www.postgresql.org/docs/current/rules-privileges.html
 */
const KEYS_SQL = `
  SELECT i.indexrelid AS index, k.at::pg_catalog.int4 AS at, o.opcname::pg_catalog.text AS class,
         coalesce(pg_catalog.bool_or(p.proleakproof), false) AS leakproof,
         (pg_catalog.array_agg(op.oprname::pg_catalog.text ORDER BY p.proleakproof DESC, s.amopstrategy))[1] AS operator,
         (pg_catalog.array_agg(pg_catalog.format_type(s.amoprighttype, NULL) ORDER BY p.proleakproof DESC, s.amopstrategy))[1]
           AS right,
         CASE WHEN i.indkey[k.at - 1] = 0 THEN ARRAY(
           SELECT DISTINCT f.proname::pg_catalog.text
           FROM pg_catalog.regexp_matches(i.indexprs::pg_catalog.text, ':(?:op)?funcid (\\d+)', 'g') m
           JOIN pg_catalog.pg_proc f ON f.oid = m[1]::pg_catalog.oid
           WHERE NOT f.proleakproof ORDER BY 1) ELSE '{}' END AS leaking
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts) k(at)
  JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k.at - 1]
  LEFT JOIN pg_catalog.pg_amop s ON s.amopfamily = o.opcfamily AND s.amoplefttype = o.opcintype AND s.amoppurpose = 's'
    AND (m.amname <> 'btree' OR (s.amopstrategy = 3 AND s.amoprighttype = s.amoplefttype))
  LEFT JOIN pg_catalog.pg_operator op ON op.oid = s.amopopr
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = op.oprcode
  WHERE i.indrelid = ANY ($1::pg_catalog.oid[]) AND i.indisvalid AND NOT i.indisunique
  GROUP BY i.indexrelid, k.at, o.opcname, i.indkey, i.indexprs::pg_catalog.text
  ORDER BY 1, 2`;

interface Key {
  readonly index: number;
  readonly at: number;
  readonly class: string;
  readonly leakproof: boolean;
  readonly operator: string | null;
  readonly right: string | null;
  /** Functions of the expression that are not leakproof. */
  readonly leaking: readonly string[];
}

export const deadUnderRowSecurity: TrapCheck = {
  code: 'HT705',
  name: 'index-dead-under-row-security',
  title: 'An index that an application role cannot use, because its operator is not leakproof',
  severity: 'warning',
  traps: ['BX-04', 'B3-24', 'B4-31'],
  find: async (context) => {
    const drafts: Draft[] = [];
    // Read before another role asks.
    await context.facts(policies);
    for (const [role, suspects] of grouped(await unusable(context), (one) => one.role)) {
      const asRole = await become(context, role);
      for (const suspect of suspects) {
        const plan = await planned(context, suspect, asRole);
        if (plan !== 'used') drafts.push(dead(suspect, plan));
      }
      await context.query(`ROLLBACK TO SAVEPOINT ${EXPLAINED}`);
    }
    return drafts;
  },
  page: {
    what: 'A GIN index on a `jsonb` or `tsvector` column, a btree on `lower(email)`, on a `numeric` or an enum, on a table with row security.',
    effect:
      'Under row security a condition may come before the policy only if its operator is LEAKPROOF, and an index condition always does. `@>`, `&&`, `@@`, `LIKE`, `lower()`, `->>`, `numeric =` and `enum =` are not: for the application’s role they stay a filter over every row of the tenant, or of the table, even with `enable_seqscan = off`. Measured on 600,000 rows: 454 ms as the application’s role, 16 ms as a superuser. The superuser who looks at the plan sees the index used.',
    mend: 'A stored generated column of `text`, `integer`, `uuid`, `timestamptz` or `boolean` with a btree `(tenant_id, column)`: 0.12 ms. States as text with a CHECK instead of an enum, minor units as integers instead of numeric. Where containment or full text is needed, a function of an owner who bypasses row security, with the tenant’s condition inside and a fixed search_path.',
  },
};

interface Suspect {
  readonly table: Relation;
  readonly index: Index;
  readonly key: Key;
  readonly role: string;
  /** A role that reads the table past its policies, and no superuser. */
  readonly above: string | undefined;
}

const ABOVE_SQL = `
  SELECT c.oid, pg_catalog.min(r.rolname::pg_catalog.text) AS role
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) c(oid)
  JOIN pg_catalog.pg_roles r ON r.rolbypassrls AND NOT r.rolsuper
    AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT')
  GROUP BY c.oid`;

async function unusable({ facts, query }: TrapContext): Promise<readonly Suspect[]> {
  const { byOid, tables, root } = await facts(relations);
  const { holders } = await facts(rights);
  const known = await facts(roles);
  const reader = (table: Relation): string | undefined =>
    holders(table.oid, 'select').find((role) => {
      const { bypass = true, reaches = [] } = known.get(role) ?? {};
      return !bypass && (table.forced || !reaches.includes(table.owner));
    });
  const secured = tables.filter(
    (table) => table.rowSecurity && root(table) === table && reader(table) !== undefined,
  );
  if (secured.length === 0) return [];
  const oids = secured.map(({ oid }) => oid);
  const keys = await query<Key>(KEYS_SQL, [oids]);
  const above = new Map(
    (await query<{ oid: number; role: string }>(ABOVE_SQL, [oids])).map(({ oid, role }) => [oid, role]),
  );
  const all = new Map((await facts(indexes)).all.map((index) => [index.oid, index]));
  return keys.flatMap((key): readonly Suspect[] => {
    const index = all.get(key.index);
    const table = byOid(index?.relation ?? 0);
    const role = table === undefined ? undefined : reader(table);
    if (
      index === undefined ||
      table === undefined ||
      role === undefined ||
      index.parent !== null ||
      index.constraint !== null
    )
      return [];
    return isDead(key) ? [{ table, index, key, role, above: above.get(table.oid) }] : [];
  });
}

// A pattern class serves LIKE, whose operators are not leakproof; its = is, and an ordinary index has that as well.
function isDead({ leakproof, leaking, class: name }: Key): boolean {
  return !leakproof || leaking.length > 0 || name.endsWith('_pattern_ops');
}

const EXPLAINED = 'explained';

/** Becomes the role itself until the savepoint is rolled back; false where the reader may not. */
async function become({ query }: TrapContext, role: string): Promise<boolean> {
  await query(`SAVEPOINT ${EXPLAINED}`);
  try {
    await query(`SET LOCAL ROLE ${ident(role)}; SET LOCAL row_security = on; SET LOCAL enable_seqscan = off`);
    return true;
  } catch {
    await query(`ROLLBACK TO SAVEPOINT ${EXPLAINED}`);
    return false;
  }
}

/** What EXPLAIN says as the role itself: `used`, the filter that the condition became, or nothing where it cannot be asked. */
async function planned(
  context: TrapContext,
  { table, index, key, role }: Suspect,
  asRole: boolean,
): Promise<string | undefined> {
  const { facts, query } = context;
  const calls = (await facts(policies)).of(table.oid).some((policy) => policy.calls.length > 0);
  const text = keyText(index, key);
  if (!asRole || calls || index.calls.length > 0 || key.operator === null || key.right === null)
    return undefined;
  if (text === undefined || key.class.endsWith('_pattern_ops') || key.right.startsWith('any'))
    return undefined;
  try {
    const lines = await query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (COSTS OFF) SELECT 1 FROM ${qualified(table)} WHERE ${text} OPERATOR(pg_catalog.${key.operator}) (SELECT NULL::${key.right})`,
    );
    return verdict(
      lines.map((line) => line['QUERY PLAN']),
      [text, text.replaceAll('"', ''), text.replace(/^\((.*)\)$/, '$1')].map(
        (one) => `${one} ${key.operator} `,
      ),
    );
  } catch {
    await query(`ROLLBACK TO SAVEPOINT ${EXPLAINED}`);
    await become(context, role);
    return undefined;
  }
}

/** The key as it stands in a query: a column, or the expression without its operator class and order. */
function keyText(index: Index, key: Key): string | undefined {
  const column = index.columns[key.at - 1];
  if (typeof column === 'string') return ident(column);
  const text = keysOf(index)[key.at - 1];
  return /^(?:\(.*\)|[\w.]+\(.*\))$/.exec(text ?? '')?.[0];
}

// Of two conditions on one index the policy's may be the only one that reaches it.
function verdict(lines: readonly string[], spelled: readonly string[]): string | undefined {
  const searched = lines.some(
    (line) => /^\s*Index Cond: /.test(line) && spelled.some((condition) => line.includes(condition)),
  );
  return searched ? 'used' : lines.find((line) => /^\s*Filter: /.test(line))?.trim();
}

function dead({ table, index, key, role, above }: Suspect, plan: string | undefined): Draft {
  const name = index.columns[key.at - 1] ?? keysOf(index)[key.at - 1] ?? 'its key';
  const why =
    key.leaking.length > 0
      ? `${key.leaking.map((one) => `${one}()`).join(', ')} ${key.leaking.length === 1 ? 'is' : 'are'} not leakproof`
      : `no operator of ${key.class} is leakproof`;
  const pattern = key.class.endsWith('_pattern_ops') && key.leakproof && key.leaking.length === 0;
  const seen = plan === undefined ? '' : ` EXPLAIN as ${role} shows ${plan}.`;
  return {
    subject: partSubject('index', index.name, table),
    severity: key.at === 1 && above === undefined ? 'warning' : 'info',
    what: pattern
      ? `${key.class} is there for LIKE, and LIKE is not leakproof.`
      : `Row security is on, and for its key ${name} ${why}.`,
    effect: `For ${role} a search by ${name} is a filter over every row that its policies show, never a condition of this index, not even with enable_seqscan = off; a superuser’s EXPLAIN shows it used.${seen}`,
    mend: [],
    advice: `Put what is searched for into a stored generated column of text, integer, uuid, timestamptz or boolean and index that, the tenant's column first.${above === undefined ? ' Drop this index unless a role that bypasses row security needs it.' : ` It serves ${above}, whom no policy holds.`}`,
  };
}
