// The plans that requests really use: auto_explain tells each statement of a session with the plan it ran by, those inside
// functions and of foreign keys too, as the application's role under row security. Nothing is explained a second time, in
// other words or as somebody else. https://www.postgresql.org/docs/current/auto-explain.html
import { Client } from 'pg';
import { ident, literal } from '../../sql.ts';
import type { Ground } from './ground.ts';
import type { PlanNode, Told } from './plan-tree.ts';

/** How the server is made to tell; the notices go to the session they are about. */
const TELLING: Readonly<Record<string, string>> = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_verbose': 'on',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
};

/** A table is read from end to end only where there is no other way. */
const AVOIDING = { enable_seqscan: 'off' };

/** Hears what the sessions of one application are told. */
export interface Listener {
  /** A `pg.Client` that listens; for the pool of an application. */
  readonly Client: typeof Client;
  /** What was told since the last call. */
  readonly heard: () => readonly Told[];
}

/** Why the server cannot tell plans; undefined where it can. */
export async function cannotTell(ground: Ground): Promise<string | undefined> {
  try {
    await ground.query("LOAD 'auto_explain'");
    return undefined;
  } catch (error) {
    return `the server cannot tell its plans: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Makes sessions of the scratch database tell their plans, for the time of `work`. */
export async function telling<T>(
  ground: Ground,
  plans: 'chosen' | 'possible',
  work: (listener: Listener) => Promise<T>,
): Promise<T> {
  const database = `ALTER DATABASE ${ident(ground.database)}`;
  const settings = plans === 'possible' ? { ...TELLING, ...AVOIDING } : TELLING;
  for (const [setting, value] of Object.entries(settings)) {
    await ground.query(`${database} SET ${setting} = ${literal(value)}`);
  }
  try {
    return await work(listen());
  } finally {
    for (const setting of Object.keys(settings)) await ground.query(`${database} RESET ${setting}`);
  }
}

function listen(): Listener {
  let told: Told[] = [];
  const sent = new Set<string>();
  class Listening extends Client {
    constructor(config: ConstructorParameters<typeof Client>[0]) {
      super(config);
      this.on('notice', (notice) => {
        const plan = read(notice.message ?? '');
        if (plan !== undefined) told.push({ ...plan, top: sent.has(plan.sql) });
      });
      const query = this.query.bind(this) as (...values: unknown[]) => unknown;
      // Every way of sending goes through here; what the application wrote tells its statements from those of functions.
      this.query = ((...values: unknown[]) => {
        const text = textOf(values[0]);
        if (text !== undefined) sent.add(text);
        return query(...values);
      }) as typeof this.query;
    }
  }
  return {
    Client: Listening,
    heard: () => {
      const now = told;
      told = [];
      return now;
    },
  };
}

function textOf(query: unknown): string | undefined {
  if (typeof query === 'string') return query;
  const { statement, text } = (query ?? {}) as { statement?: { text?: string }; text?: string };
  return statement?.text ?? text;
}

function read(message: string): Omit<Told, 'top'> | undefined {
  const at = message.indexOf('plan:\n');
  if (!message.startsWith('duration: ') || at === -1) return undefined;
  const told = JSON.parse(message.slice(at + 'plan:\n'.length)) as { 'Query Text': string; Plan: PlanNode };
  return { sql: told['Query Text'], plan: told.Plan };
}
