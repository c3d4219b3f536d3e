// What is measured of a promise and when it is wrong. Values only; watch/ collects, serves and writes rules from them.
import type { Piece } from './job.ts';
import type { Model } from './model.ts';
import type { CatalogueQuery } from './trait.ts';

/**
 * One metric family. Base units in the name, `_total` for counters; no tenant and no partition among the labels, and
 * neither `job` nor `instance`, which Prometheus sets itself.
 */
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
  /** Labels of the alerts that fire then, without name and severity; none for a case that must stay quiet. */
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
  /** One line; `{{ $labels.relation }}` stands for a label, and nothing else of a template may stand in it. */
  readonly summary: string;
  /** What to do; `{{ $labels.relation }}` as in the summary. */
  readonly description: string;
  /** At least one that fires and one that stays quiet. */
  readonly cases: readonly RuleCase[];
}

/** One line of `holdfast status`: the same truth for people. */
export interface CardLine {
  /** What it is about, one word or two: lines of one topic stand together. */
  readonly topic: string;
  /** What of it: `shop.orders`. */
  readonly subject: string;
  /** How it stands: `ahead until 2027-02-01 (71 days)`. */
  readonly text: string;
  /** Whether it is not as promised; such lines are marked, and the exit code of `status` says so. */
  readonly late: boolean;
}

/**
 * The watch face of a trait. Several values of one trait declare the same metrics and alerts: those are one family and
 * one rule; each value collects samples of its own relations alone.
 */
export interface Watched {
  readonly metrics: readonly Metric[];
  /** Runs in a read-only transaction of its own under a statement timeout; what it throws counts as this collector down. */
  readonly collect: (context: WatchContext) => Promise<readonly Sample[]>;
  readonly alerts: readonly AlertRule[];
  /** This value's own samples for people. Pure. */
  readonly card?: (samples: readonly Sample[], now: Date) => readonly CardLine[];
}
