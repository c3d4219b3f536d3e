// Whether a keeper leads.
import type { Sample } from '../define/measure.ts';
import { ident } from '../sql.ts';
import { engineFamilies } from './families.ts';
import { hasTable } from './ledger.ts';
import type { Part, PartContext } from './parts.ts';

/**
 * A leader that was silent for this long counts as gone: several times the lease of a keeper, and more than the clocks of
 * two machines differ.
 */
export const silentAfterSeconds = 120;

const leaseSql = (schema: string): string => `SELECT fence::float8 AS fence, holder IS NOT NULL AS held,
  extract(epoch FROM $1::timestamptz - renewed_at)::float8 AS "silentSeconds"
  FROM ${ident(schema)}.lease WHERE name = 'keeper'`;

interface Lease {
  readonly fence: number;
  readonly held: boolean;
  readonly silentSeconds: number | null;
}

/** The part about the keeper's lease. Without a ledger no keeper can lead. */
export function keeperPart({ schema, now }: PartContext): Part {
  return {
    name: 'keeper',
    metrics: engineFamilies,
    collect: async (query) => {
      if (!(await hasTable(query, { schema, name: 'job' }))) return [leader(false)];
      const [lease] = await query<Lease>(leaseSql(schema), [now]);
      const taken = {
        metric: 'holdfast_keeper_takeovers_total',
        labels: {},
        value: lease?.fence ?? 0,
      } as const;
      const silent = lease?.silentSeconds ?? null;
      if (lease?.held !== true || silent === null) return [leader(false), taken];
      return [
        leader(silent < silentAfterSeconds),
        { metric: 'holdfast_keeper_beat_age_seconds', labels: {}, value: Math.max(0, silent) },
        taken,
      ];
    },
  };
}

const leader = (leads: boolean): Sample => ({
  metric: 'holdfast_keeper_leader',
  labels: {},
  value: leads ? 1 : 0,
});
