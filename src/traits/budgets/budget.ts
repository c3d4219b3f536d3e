// One budget as its user writes it, and as the contract has it.
import type { DocumentTarget, Percentile, PlanRequirement, TimeBudget, Turn } from '../../define/budget.ts';
import type { Tables } from '../../define/database.ts';
import type { Connected, SessionContext } from '../../use/index.ts';
import { relationOf, type TableReference } from '../reference.ts';
import { milliseconds } from './time.ts';
import type { TypedVolume } from './volume.ts';

/** One request: what `open` gave, what the volume's `begin` gave, chance, and the number of the request. */
export interface TypedTurn<App, World> extends Turn {
  readonly app: App;
  readonly world: World;
}

/** A request as one statement, sent by a session as the application would send it. */
export interface OneStatement<World> {
  readonly sql: string;
  /** Parameters; default none. */
  readonly values?: (turn: TypedTurn<Connected, World>) => readonly unknown[];
  /** For whom the session speaks: `({ chance }) => ({ tenant: … })`. */
  readonly as?: (turn: TypedTurn<Connected, World>) => SessionContext;
}

/** A request: anything the application does, or one statement. */
export type Run<App, World> = ((turn: TypedTurn<App, World>) => Promise<unknown>) | OneStatement<World>;

/** A {@link PlanRequirement} with its table as it stands in the schema module. */
export type Requirement =
  | Extract<PlanRequirement, { useIndex: unknown } | { indexOnly: unknown }>
  | { readonly prune: TableReference; readonly to: number }
  | { readonly notScan: TableReference }
  | { readonly readAtMost: number; readonly of?: TableReference };

/** What is said of a budget. */
export interface BudgetOptions<App, World, T extends Tables = Tables> {
  /** What it is measured on; several budgets may share one. */
  readonly data: TypedVolume<World>;
  /** At which size: rows by kind of the volume. */
  readonly at: Readonly<Record<string, number>>;
  /** Makes of the connected application what `run` is given as `app`: a repository, a service. Once a pool. */
  readonly open?: (app: Connected<T>) => App;
  readonly run: Run<App, World>;
  /** Time that half of the requests may take: `'1 ms'`, `'2 s'`, `'500 us'`. */
  readonly p50?: string;
  readonly p95?: string;
  readonly p99?: string;
  /** Requests at once at most; default 4. */
  readonly clients?: number;
  /** Requests a second that arrive, whether or not earlier ones are done; default 100. */
  readonly rate?: number;
  /** Requests measured; default: 1,000, so that ten lie beyond p99. */
  readonly samples?: number;
  /** The role it works as; default: the one tenancy names. */
  readonly role?: string;
  /** As the option of `connect`; default false, as there. */
  readonly prepare?: boolean;
  /** What every plan of it must be like. Unlike a time, this can fail a test. */
  readonly must?: readonly Requirement[];
  /** What the document says that the budget comes from. */
  readonly document?: DocumentTarget;
}

/** What a budget does where it is not told. */
export const budgetDefaults = { clients: 4, rate: 100, samples: 1_000, prepare: false } as const;

/**
 * States in which time a request is answered, at which size.
 * @throws HoldfastError HF_BUDGET_TIME for a limit that is no length of time
 * @example budget('rule lookup', { data: log, at: { corrections: 1_000_000 }, p95: '1 ms', must: [{ useIndex: 'rules_pkey' }],
 *   run: { sql: 'SELECT … WHERE tenant_id = $1', values: ({ world }) => [world.tenant], as: ({ world }) => ({ tenant: world.tenant }) } })
 */
export function budget<World = undefined, App = Connected, T extends Tables = Tables>(
  name: string,
  options: BudgetOptions<App, World, T>,
): TimeBudget {
  const { clients, rate, samples, prepare } = { ...budgetDefaults, ...options };
  const limitsMs: Partial<Record<Percentile, number>> = {};
  for (const percentile of ['p50', 'p95', 'p99'] as const) {
    const said = options[percentile];
    if (said !== undefined) limitsMs[percentile] = milliseconds(said, `budget ${name}, ${percentile}`);
  }
  return {
    kind: 'time',
    name,
    data: options.data,
    at: options.at,
    ...(options.open !== undefined && { open: options.open as unknown as NonNullable<TimeBudget['open']> }),
    run: runOf(options.run) as TimeBudget['run'],
    limitsMs,
    clients,
    ratePerSecond: rate,
    samples,
    prepare,
    ...(options.role !== undefined && { role: options.role }),
    must: (options.must ?? []).map(requirementOf),
    ...(options.document !== undefined && { document: options.document }),
  };
}

function runOf<App, World>(run: Run<App, World>): (turn: TypedTurn<App, World>) => Promise<unknown> {
  if (typeof run === 'function') return run;
  const { sql, values, as } = run;
  return async (turn) => {
    const plain = turn as TypedTurn<Connected, World>;
    return plain.app.session(as?.(plain)).query(sql, values?.(plain) ?? []);
  };
}

function requirementOf(must: Requirement): PlanRequirement {
  if ('prune' in must) return { prune: relationOf(must.prune), to: must.to };
  if ('notScan' in must) return { notScan: relationOf(must.notScan) };
  if (!('readAtMost' in must)) return must;
  return {
    readAtMost: must.readAtMost,
    ...(must.of !== undefined && { of: relationOf(must.of) }),
  };
}
