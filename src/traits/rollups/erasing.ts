// Rollups' part in an erasure: sums are brought up to date after their rows went, views are computed anew.
import { ERASING_SETTING, type ErasurePart } from '../../define/erasure.ts';
import { label, type RelationName } from '../../define/model.ts';
import { literal, qualified } from '../../sql.ts';
import { relationOf } from '../reference.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { namesOf } from './incremental/plan.ts';
import { stateOf } from './state.ts';

/**
 * Sums over a table whose rows went: what was noted of them is taken off, so that neither the queue nor the sums know them.
 * Of rows that had left before, sums stay: figures of a tenant go with its own rows of the table of sums.
 */
export function sumsErasing(of: RelationName, options: IncrementalOptions): ErasurePart {
  const source = relationOf(options.of);
  const { queue, settle } = namesOf(of);
  return {
    erase: async ({ session, now }, rows) => {
      if (label(rows.of) !== label(source)) return 0;
      await session.transaction(async (query) => {
        // Where the sums went before their rows did, they are written once more, and go with the next table.
        await query(`SELECT pg_catalog.set_config('${ERASING_SETTING}', 'on', true)`);
        await query(`SELECT touched FROM ${qualified(settle)}($1)`, [now]);
      });
      return 0;
    },
    finish: async (_context, touched) =>
      touched.some((one) => label(one) === label(source)) ? [queue, of] : [],
  };
}

/**
 * A view is computed anew without its rows. The floor under its rows is not asked: that many of them go is what was wanted.
 * One that was never filled holds nothing.
 */
export function viewErasing(of: RelationName): ErasurePart {
  const state = qualified(stateOf(of));
  return {
    finish: async ({ session, now }, touched) => {
      if (touched.length === 0) return [];
      return session.transaction(async (query) => {
        const [view] = await query<{ filled: boolean }>(FILLED_SQL, [of.schema, of.name]);
        if (view?.filled !== true) return [];
        await query(`REFRESH MATERIALIZED VIEW CONCURRENTLY ${qualified(of)}`);
        await query(
          `INSERT INTO ${state} AS state (rollup, refreshed_at, rows)
           SELECT ${literal(of.name)}, $1::timestamptz, count(*) FROM ${qualified(of)}
           ON CONFLICT (rollup) DO UPDATE SET refreshed_at = excluded.refreshed_at, rows = excluded.rows`,
          [now],
        );
        return [of];
      });
    },
  };
}

const FILLED_SQL = `
  SELECT c.relispopulated AS filled FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'm'`;
