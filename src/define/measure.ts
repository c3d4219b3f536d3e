// What is measured of a promise and when it is wrong. Values only; watch/ collects, serves and writes rules from them.
import type { Piece } from './job.ts';
import type { Model } from './model.ts';
import type { CatalogueQuery } from './trait.ts';

/** One metric family. Base units in the name, `_total` for counters, no tenant and no partition among the labels. */
export interface Metric {
  readonly name: `holdfast_${string}`;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
}

/** One value of a metric. */
export interface Sample {
  readonly metric: Metric['name'];
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a collector is given; it reads only. */
export interface WatchContext {
  readonly model: Model;
  readonly query: CatalogueQuery;
  /** The injected clock. */
  readonly now: Date;
  /** The trait's pieces in the ledger; none where no ledger is. */
  readonly pieces: readonly Piece[];
}

/** Series for a test of a rule, in promtool's notation: `{ 'up{job="x"}': '1+0x60' }`, one value a minute. */
export interface RuleCase {
  readonly series: Readonly<Record<string, string>>;
  /** When the rule is looked at, in minutes after the start. */
  readonly atMinute: number;
  /** Labels of the alerts that fire then; none for a case that must stay quiet. */
  readonly fires: readonly Readonly<Record<string, string>>[];
}

/** One Prometheus alerting rule, with the cases that show that it fires and that it does not. */
export interface AlertRule {
  /** CamelCase, begins with Holdfast. */
  readonly name: `Holdfast${string}`;
  readonly expr: string;
  /** How long it must hold, as Prometheus writes it: `15m`. */
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  /** One line; `{{ $labels.relation }}` stands for a label. */
  readonly summary: string;
  /** What to do. */
  readonly description: string;
  /** At least one that fires and one that stays quiet. */
  readonly cases: readonly RuleCase[];
}

/** The watch face of a trait. */
export interface Watched {
  readonly metrics: readonly Metric[];
  readonly collect: (context: WatchContext) => Promise<readonly Sample[]>;
  readonly alerts: readonly AlertRule[];
}
