// How objects are called in findings, and which objects are looked at.
import { LEDGER_MARK, ledgerDefaults } from '../../../ledger/index.ts';
import { literal } from '../../../sql.ts';

/**
 * SQL that holds for a schema that is looked at: not PostgreSQL's, not an extension's, not Holdfast's ledger.
 * @param namespace alias of pg_namespace in the question
 */
export function inScope(namespace: string): string {
  return `${namespace}.nspname !~ '^pg_' AND ${namespace}.nspname NOT IN ('information_schema', ${literal(ledgerDefaults.schema)})
    AND NOT coalesce(pg_catalog.starts_with(pg_catalog.obj_description(${namespace}.oid, 'pg_namespace'), ${literal(LEDGER_MARK)}), false)
    AND ${namespace}.oid NOT IN (
      SELECT e.objid FROM pg_catalog.pg_depend e
      WHERE e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.deptype = 'e')
    AND ${namespace}.oid NOT IN (
      SELECT x.extnamespace FROM pg_catalog.pg_extension x WHERE x.extname IN ('pg_partman', 'pg_cron', 'timescaledb')
        AND x.extnamespace <> (SELECT p.oid FROM pg_catalog.pg_namespace p WHERE p.nspname = 'public'))`;
}

/**
 * SQL that holds for an object that is no extension's.
 * @param catalogue the catalogue the object stands in: `pg_class`
 * @param oid its oid in the question: `c.oid`
 */
export function notOfExtension(catalogue: 'pg_class' | 'pg_proc' | 'pg_type', oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
}

const KINDS = {
  r: 'table',
  p: 'table',
  f: 'foreign table',
  v: 'view',
  m: 'materialized view',
  S: 'sequence',
} as const;

/** `pg_class.relkind` of what is looked at. */
export type RelationKind = keyof typeof KINDS;

/** How a relation is called in a finding: `table shop.orders`. */
export function relationSubject(of: {
  readonly kind: RelationKind;
  readonly schema: string;
  readonly name: string;
}): string {
  return `${KINDS[of.kind]} ${of.schema}.${of.name}`;
}

/** How something of a table is called in a finding: `policy mine on shop.orders`. */
export function partSubject(
  kind: string,
  name: string,
  of: { readonly schema: string; readonly name: string },
): string {
  return `${kind} ${name} on ${of.schema}.${of.name}`;
}
