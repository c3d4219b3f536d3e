// A definition that watches, without any trait of this package: what the engine does with a watch face, whoever wrote it.
import { integer, pgTable } from 'drizzle-orm/pg-core';
import { Client } from 'pg';
import { database, type Definition, job } from '../../src/define/index.ts';
import type { AlertRule, Metric, RuleCase, Sample, WatchContext, Watched } from '../../src/define/measure.ts';
import type { Trait } from '../../src/define/trait.ts';
import { migrate } from '../../src/ledger/index.ts';
import type { TestDatabase } from '../cluster/index.ts';

export const NOW = new Date('2026-11-21T12:00:00Z');
const notes = pgTable('notes', { id: integer().primaryKey() });

export const sizes: Metric = {
  name: 'holdfast_sizes_bytes',
  help: 'How large the relation is.',
  type: 'gauge',
  labels: ['relation'],
};

export const firing: RuleCase = {
  series: { 'holdfast_sizes_bytes{relation="a"}': '101x20' },
  atMinute: 10,
  fires: [{ relation: 'a' }],
};
export const quiet: RuleCase = {
  series: { 'holdfast_sizes_bytes{relation="a"}': '99x20' },
  atMinute: 10,
  fires: [],
};

/** A rule with the cases it needs. */
export const rule: AlertRule = {
  name: 'HoldfastSizesGrown',
  expr: 'holdfast_sizes_bytes > 100',
  for: '5m',
  severity: 'ticket',
  summary: 'Relation {{ $labels.relation }} has grown.',
  description: 'Make {{ $labels.relation }} smaller.',
  cases: [firing, quiet],
};

/** A trait of this name that watches as given; its collector gives no sample unless it is told to. */
export function watching(
  name: string,
  face: Partial<Watched>,
  collect: (context: WatchContext) => Promise<readonly Sample[]> = async () => [],
): Trait {
  return { name, watch: () => ({ metrics: [], alerts: [], collect, ...face }) };
}

/** A trait that measures one relation as a constant. */
export function sized(relation: string, value = 1): Trait {
  return watching('sizes', { metrics: [sizes], alerts: [rule] }, async () => [
    { metric: sizes.name, labels: { relation }, value },
  ]);
}

/** A definition with these traits and two jobs. */
export function watched(...traits: readonly Trait[]): Definition {
  return database('shop', {
    tables: { notes },
    traits,
    jobs: [
      job('nightly', { schedule: { cron: '0 1 * * *' } }, { sql: 'SELECT 1' }),
      job('tick', { schedule: { everyMs: 60_000 } }, { sql: 'SELECT 1' }),
    ],
  });
}

/** Makes the ledger of a test database. */
export async function withLedger(db: TestDatabase): Promise<void> {
  const client = new Client(db.url);
  await client.connect();
  try {
    await migrate(client);
  } finally {
    await client.end();
  }
}
