// What the ledger says of plans and pieces. Columns are named one by one: a monitoring role is not granted whole plans.
import type { Piece } from '../define/job.ts';
import type { Sample } from '../define/measure.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { ident } from '../sql.ts';
import { engineFamilies } from './families.ts';
import type { Part, PartContext } from './parts.ts';

/** A piece and the trait whose it is. */
export interface LedgerPiece extends Piece {
  readonly trait: string;
}

const TABLES_SQL = `SELECT c.relname AS name FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind = 'r'`;

/** Whether the ledger has this table: an older one may lack it, and a database nothing was applied to has none. */
export async function hasTable(
  query: CatalogueQuery,
  of: { readonly schema: string; readonly name: string },
): Promise<boolean> {
  const tables = await query<{ name: string }>(TABLES_SQL, [of.schema]);
  return tables.some(({ name }) => name === of.name);
}

const plansSql = (schema: string): string => `SELECT
  (SELECT extract(epoch FROM finished_at)::float8 FROM ${ident(schema)}.run
    WHERE state = 'applied' ORDER BY run DESC LIMIT 1) AS "appliedAt",
  EXISTS (SELECT FROM ${ident(schema)}.run WHERE state IN ('applying', 'rolling back')) AS unfinished`;

/** The part about the ledger itself and the plans in it. */
export function ledgerPart({ schema }: PartContext): Part {
  return {
    name: 'ledger',
    metrics: engineFamilies,
    whenDown: [up(0)],
    collect: async (query) => {
      if (!(await hasTable(query, { schema, name: 'run' }))) return [up(0)];
      const [plans] = await query<{ appliedAt: number | null; unfinished: boolean }>(plansSql(schema));
      const samples: Sample[] = [
        up(1),
        { metric: 'holdfast_plan_unfinished', labels: {}, value: plans?.unfinished === true ? 1 : 0 },
      ];
      const appliedAt = plans?.appliedAt ?? null;
      if (appliedAt !== null) {
        samples.push({ metric: 'holdfast_plan_applied_timestamp_seconds', labels: {}, value: appliedAt });
      }
      return samples;
    },
  };
}

const up = (value: 0 | 1): Sample => ({ metric: 'holdfast_ledger_up', labels: {}, value });

/** Every piece of a definition; none where no ledger is, or one older than pieces. */
export async function readPieces(
  query: CatalogueQuery,
  of: { readonly definition: string; readonly schema: string },
): Promise<readonly LedgerPiece[]> {
  if (!(await hasTable(query, { schema: of.schema, name: 'piece' }))) return [];
  return query<LedgerPiece>(
    `SELECT trait, subject, piece, state, detail FROM ${ident(of.schema)}.piece
     WHERE definition = $1 ORDER BY trait, subject, piece`,
    [of.definition],
  );
}
