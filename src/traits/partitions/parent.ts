// What a new partition must have of its parent because PostgreSQL does not give it by itself.
import type { RelationName } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';

/** The parent as the catalogue has it. */
export interface Parent extends RelationName {
  /** The one column it is ranged by, and that column's type by its catalogue name; null where it is not by one column. */
  readonly key_column: string | null;
  readonly key_type: string | null;
  readonly owner: string;
  readonly tablespace: string | null;
  readonly row_security: boolean;
  readonly forced: boolean;
  readonly policies: readonly ParentPolicy[];
  readonly triggers: readonly ParentTrigger[];
  /** Tables its foreign keys point at. */
  readonly points_at: readonly RelationName[];
}

interface ParentPolicy {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: string;
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
}

interface ParentTrigger {
  readonly name: string;
  readonly before: boolean;
  readonly enabled: 'O' | 'D' | 'R' | 'A';
  readonly schema: string;
  readonly function: string;
  /** Arguments as the catalogue keeps them: hexadecimal, each ended by a zero byte. */
  readonly args: string;
}

/** Partitioned tables by schemas and names; no row for one that is none. TRUNCATE is bit 5 of `tgtype`, BEFORE bit 1. */
export const PARENTS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, a.attname AS key_column, ty.typname AS key_type,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner, s.spcname AS tablespace,
    c.relrowsecurity AS row_security, c.relforcerowsecurity AS forced,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
        'name', p.polname, 'permissive', p.polpermissive, 'command', p.polcmd,
        'roles', (SELECT pg_catalog.json_agg(CASE WHEN r.oid = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(r.oid) END)
                  FROM pg_catalog.unnest(p.polroles) AS r(oid)),
        'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
        'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
      FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid), '[]') AS policies,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
        'name', t.tgname, 'before', (t.tgtype & 2) <> 0, 'enabled', t.tgenabled,
        'schema', fn.nspname, 'function', f.proname, 'args', pg_catalog.encode(t.tgargs, 'hex')) ORDER BY t.tgname)
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
      JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
      WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND (t.tgtype & 32) <> 0), '[]') AS triggers,
    coalesce((SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_object('schema', rn.nspname, 'name', r.relname))
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
      JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
      WHERE k.conrelid = c.oid AND k.contype = 'f'), '[]') AS points_at
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS asked(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name AND c.relkind = 'p'
  JOIN pg_catalog.pg_partitioned_table k ON k.partrelid = c.oid
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.partattrs[0] AND k.partnatts = 1 AND k.partstrat = 'r'
  LEFT JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace`;

const COMMANDS: Readonly<Record<string, string>> = {
  '*': 'ALL',
  r: 'SELECT',
  a: 'INSERT',
  w: 'UPDATE',
  d: 'DELETE',
};
const STATES: Readonly<Record<string, string>> = { A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA', D: 'DISABLE' };

/**
 * Statements that give a partition its parent's row security, policies and TRUNCATE triggers. Row triggers, foreign
 * keys, checks and indexes come with ATTACH; these do not.
 */
export function protection(parent: Parent, partition: RelationName): readonly string[] {
  const name = qualified(partition);
  return [
    ...(parent.row_security ? [`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`] : []),
    ...(parent.forced ? [`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`] : []),
    ...parent.policies.map((policy) => createPolicy(policy, name)),
    ...parent.triggers.flatMap((trigger) => createTrigger(trigger, name)),
  ];
}

function createPolicy(policy: ParentPolicy, on: string): string {
  const roles = policy.roles.map((role) => (role === 'public' ? 'PUBLIC' : ident(role))).join(', ');
  return [
    `CREATE POLICY ${ident(policy.name)} ON ${on}`,
    `AS ${policy.permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${COMMANDS[policy.command] ?? 'ALL'} TO ${roles}`,
    ...(policy.using === null ? [] : [`USING (${policy.using})`]),
    ...(policy.check === null ? [] : [`WITH CHECK (${policy.check})`]),
  ].join(' ');
}

function createTrigger(trigger: ParentTrigger, on: string): string[] {
  const args = Buffer.from(trigger.args, 'hex').toString().split('\0').slice(0, -1);
  const call = `${qualified({ schema: trigger.schema, name: trigger.function })}(${args.map((arg) => literal(arg).trim()).join(', ')})`;
  const state = STATES[trigger.enabled];
  return [
    `CREATE TRIGGER ${ident(trigger.name)} ${trigger.before ? 'BEFORE' : 'AFTER'} TRUNCATE ON ${on} FOR EACH STATEMENT EXECUTE FUNCTION ${call}`,
    ...(state === undefined ? [] : [`ALTER TABLE ${on} ${state} TRIGGER ${ident(trigger.name)}`]),
  ];
}
