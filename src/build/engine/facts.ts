// A database's structure as the planner reads it. Opaque outside this folder: others carry it, only the engine looks in.
import {
  buildFactBase,
  encodeId,
  type DependencyEdge,
  type Fact,
  type FactBase,
  type StableId,
} from '@supabase/pg-delta/core';
import { extract as extractCatalogue } from '@supabase/pg-delta/extract';
import type { Pool } from 'pg';
import { withEveryRight, type ForeignGrant } from './rights-read.ts';

/** One database's structure at one moment. */
export interface Facts {
  readonly base: FactBase;
  /** The role that read it, which is the owner of whatever it makes. */
  readonly user: string;
  /** Objects of kinds the planner does not model, `kind: names`. */
  readonly unmodelled: readonly Unmodelled[];
  /** Rights that no owner gave. */
  readonly foreign: readonly ForeignGrant[];
}

/** User objects of one kind that the planner sees but cannot plan. */
export interface Unmodelled {
  readonly kind: string;
  readonly count: number;
  readonly samples: readonly string[];
}

// The planner reads every index of a partitioned table as valid, also one that some partition lacks.
const INVALID_SQL = `
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'I' AND NOT i.indisvalid`;

/**
 * Reads the structure of one database in a single repeatable-read snapshot. Changes nothing.
 * @param pool sessions to the database; one is used
 * @returns its facts; throws what PostgreSQL or the connection throws
 */
export async function extract(pool: Pool): Promise<Facts> {
  const [read, invalid, user] = await Promise.all([
    extractCatalogue(pool),
    pool.query<{ schema: string; name: string }>(INVALID_SQL),
    pool.query<{ name: string }>('SELECT current_user::pg_catalog.text AS name'),
  ]);
  const unmodelled = read.diagnostics.flatMap((found) => {
    const about = found.context as { kind?: string; count?: number; samples?: string[] } | undefined;
    return found.code === 'unmodeled_kind' && about?.kind !== undefined
      ? [{ kind: about.kind, count: about.count ?? 0, samples: about.samples ?? [] }]
      : [];
  });
  const { base, foreign } = await withEveryRight(pool, withInvalid(read.factBase, invalid.rows));
  return { base, user: user.rows[0]?.name ?? '', unmodelled, foreign };
}

function withInvalid(base: FactBase, invalid: readonly { schema: string; name: string }[]): FactBase {
  const keys = new Set(invalid.map((index) => encodeId({ kind: 'index', ...index })));
  if (keys.size === 0) return base;
  const facts = base
    .facts()
    .map((fact) =>
      keys.has(encodeId(fact.id)) ? { ...fact, payload: { ...fact.payload, valid: false } } : fact,
    );
  return buildFactBase(facts, [...base.edges], base.source);
}

/** A role of the cluster stays outside every view, so an owner edge ends in nothing there: kept, as pg-delta keeps it. */
export function endsInRole(edge: DependencyEdge): boolean {
  return edge.kind === 'owner' && edge.to.kind === 'role';
}

/** Whether an object stands on its own: in no other, or directly in a schema. Comments and grants never do. */
export function isRoot(fact: Fact): boolean {
  if ('target' in fact.id) return false;
  return fact.parent === undefined || fact.parent.kind === 'schema';
}

/** The object a fact belongs to: itself, or the nearest ancestor that stands on its own. */
export function rootOf(base: FactBase, id: StableId): Fact | undefined {
  let at = base.get(id);
  while (at !== undefined && !isRoot(at)) at = at.parent === undefined ? undefined : base.get(at.parent);
  return at;
}

/** The key of an identity, the same for equal identities; fit to be stored. */
export function keyOf(id: StableId): string {
  return encodeId(id);
}

/** An object in a person's words: `table public.orders`, `function public.touch(integer)`. */
export function describe(id: StableId): string {
  if ('target' in id) return `${words(id.kind)} on ${describe(id.target)}`;
  const parts = id as {
    schema?: string | null;
    table?: string;
    type?: string;
    name?: string;
    args?: string[];
    role?: string;
  };
  const names = [parts.schema, parts.table ?? parts.type, parts.name ?? parts.role].filter(
    (part): part is string => typeof part === 'string',
  );
  return `${words(id.kind)} ${names.join('.')}${parts.args === undefined ? '' : `(${parts.args.join(', ')})`}`;
}

function words(kind: string): string {
  if (kind === 'acl') return 'grant';
  return kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
