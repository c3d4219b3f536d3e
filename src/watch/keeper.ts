// Whether a keeper leads.
import type { Sample } from '../define/measure.ts';
import { ident } from '../sql.ts';
import { engineFamilies } from './families.ts';
import { hasTable } from './ledger.ts';
import type { Part, PartContext } from './parts.ts';

/** A leader that was silent for this long counts as gone: several times the lease of a keeper. */
export const silentAfterSeconds = 120;

// The server's clock on both sides: a lease is real time, whatever clock the jobs are on.
const leaseSql = (schema: string): string => `SELECT fence::float8 AS fence,
  CASE WHEN host IS NOT NULL THEN
    extract(epoch FROM pg_catalog.clock_timestamp() - renewed_at)::float8 END AS "silentSeconds"
  FROM ${ident(schema)}.lease WHERE name = 'keeper'`;

/** The part about the keeper's lease. Without a ledger no keeper can lead. */
export function keeperPart({ schema }: PartContext): Part {
  return {
    name: 'keeper',
    metrics: engineFamilies,
    collect: async (query) => {
      if (!(await hasTable(query, { schema, name: 'job' }))) return [leader(false)];
      const [lease] = await query<{ fence: number; silentSeconds: number | null }>(leaseSql(schema));
      const silent = lease?.silentSeconds ?? null;
      const takeovers: Sample = {
        metric: 'holdfast_keeper_takeovers_total',
        labels: {},
        value: lease?.fence ?? 0,
      };
      if (silent === null) return [leader(false), takeovers];
      return [
        leader(silent < silentAfterSeconds),
        { metric: 'holdfast_keeper_beat_age_seconds', labels: {}, value: Math.max(0, silent) },
        takeovers,
      ];
    },
  };
}

const leader = (leads: boolean): Sample => ({
  metric: 'holdfast_keeper_leader',
  labels: {},
  value: leads ? 1 : 0,
});
