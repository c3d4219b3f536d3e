// Promise: the partition a row belongs to exists before the row arrives.
import type { IndexElement } from '../../define/model.ts';
import type { Trait } from '../../define/trait.ts';
import { columnOf, type ColumnReference, relationOf, type TableReference } from '../reference.ts';
import { findings, partition } from './build.ts';
import { kept } from './keep.ts';
import { promised } from './prove.ts';
import { missingPartitions } from './settle.ts';
import { watched } from './watch.ts';

/** Calendar period of one partition, counted in UTC; a week starts on Monday (ISO 8601). */
export type Period = 'day' | 'week' | 'month' | 'year';

/** An index that the newest partitions alone carry, because it is worth its size only while rows are fresh. */
export interface HotIndex {
  /** Part of each index's name; the partition's name stands before it. */
  readonly name: string;
  /** Columns in order, by name or with order, operator class or expression. */
  readonly on: readonly (string | IndexElement)[];
  readonly unique?: boolean;
  /** Access method; default `btree`. */
  readonly using?: string;
  readonly include?: readonly ColumnReference[];
  /** Predicate as SQL; it must be immutable: no `now()`. The partition itself is the window. */
  readonly where?: string;
}

export interface PartitionsOptions {
  /** The column rows are ranged by: `timestamptz`, `timestamp` or `date`, NOT NULL, part of every unique key. */
  readonly by: ColumnReference;
  readonly every: Period;
  /** How many periods after the running one exist at any time; default 3. */
  readonly ahead?: number;
  /**
   * The first instant rows may have; default: the start of the period the table is made in. Earlier rows are refused. It
   * counts while the table has no partition: what has left with age is not made again.
   */
  readonly from?: Date | string;
  /** Schema of the partitions; default the table's own. */
  readonly schema?: string;
  /**
   * Indexes of the `newest` periods up to the running one, and of those ahead; default 2. Partitions that exist get and
   * lose them in job `job`, default `hot-indexes`.
   */
  readonly hot?: { readonly newest?: number; readonly indexes: readonly HotIndex[]; readonly job?: string };
  /** Storage parameters of each partition: `{ fillfactor: '90' }`. */
  readonly storage?: Readonly<Record<string, string>>;
  /** The job that makes and mends partitions; default `partitions`, daily at 00:10 UTC and when a keeper starts. */
  readonly job?: string;
  /** The job that gathers the table's statistics, which autovacuum never does; default `analyze`, Sundays at 04:00 UTC. */
  readonly analyzeJob?: string;
}

/**
 * Partitions a table by time. Bounds are explicit UTC instants whatever the session's time zone; existing partitions are
 * found by their bounds, never by name; missing ones are made and attached without blocking readers or writers.
 * @throws HoldfastError HF_PARTITION_OPTIONS when `ahead`, `newest` or `from` is not usable
 * @example partitions(events, { by: 'created_at', every: 'month', ahead: 3 })
 */
export function partitions(table: TableReference, options: PartitionsOptions): Trait {
  const of = relationOf(table);
  const by = columnOf(options.by);
  const asked = { of, by, options };
  return {
    name: 'partitions',
    check: (model) => findings(model, { of, by }),
    build: (model) => partition(model, { of, by, every: options.every }),
    settle: (context) => missingPartitions(context, asked),
    keep: () => kept(asked),
    watch: () => watched(asked),
    promises: () => promised(asked),
  };
}
