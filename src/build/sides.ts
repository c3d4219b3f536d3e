// Definition and target side by side: both read, elaborated alike and compared. Planning and drift begin here.
import type { Pool } from 'pg';
import type { Model } from '../define/model.ts';
import type { Trait } from '../define/trait.ts';
import { lastApplied } from '../ledger/index.ts';
import { openPool, serverVersion } from '../server/index.ts';
import type { Plan } from './step.ts';
import { catalogueDump, type Dump } from './catalogue-dump.ts';
import { reading } from './catalogue-session.ts';
import { copyStructure } from './copy.ts';
import {
  elaborate,
  extract,
  managedKeys,
  planChange,
  type Change,
  type Facts,
  type Ownership,
} from './engine/index.ts';
import { load } from './load.ts';
import type { Lowered } from './lower.ts';
import { dropPartitions, mendPartitions, partitionsOf } from './partitions.ts';
import { rehearseRoles, roleSteps } from './roles.ts';
import {
  refuseAborted,
  withScratch,
  type Scratch,
  type ScratchOptions,
  type ScratchServer,
} from './scratch.ts';
import { settle } from './settle.ts';
import type { StepDraft } from './steps.ts';

/** What a comparison is doing right now, in a person's words. */
export interface PlanProgress {
  readonly stage:
    | 'reading the database and the definition'
    | 'comparing'
    | 'copying the structure'
    | 'rehearsing'
    | 'done';
}

export interface PlanOptions extends Omit<ScratchOptions, 'url'> {
  /** The injected clock: what traits make ahead is counted from here. */
  readonly now: Date;
  /** Folder that relative globs of the definition start in. */
  readonly baseDir?: string;
  /** Relations (`schema.name`, or as a plan names them) that may go although Holdfast did not make them. */
  readonly allowDataLoss?: readonly string[];
  /**
   * Keys of objects that may be dropped when the definition has them no longer: `manages` of an earlier plan. Default:
   * those of the plan in force, from the ledger.
   */
  readonly previous?: readonly string[];
  /** Where the ledger lives, as of `apply`. */
  readonly ledgerSchema?: string;
  readonly onProgress?: (progress: PlanProgress) => void;
}

/** A definition that was lowered already. */
export interface LoweredDefinition {
  readonly lowered: Lowered;
  readonly model: Model;
  readonly traits: readonly Trait[];
  /**
   * The goal does not begin empty: it begins as a copy of the target's structure, partitions and all, and this changes
   * it. What it does to partitions is not compared.
   */
  readonly alter?: (goal: Pool) => Promise<void>;
}

/** What was read of the target. */
export interface Found {
  readonly facts: Facts;
  readonly dump: Dump;
  /** The plan in force, as the ledger has it. */
  readonly last: Plan | undefined;
  readonly versionNumber: number;
}

/** The definition in a scratch database. */
export interface Goal {
  readonly scratch: Scratch;
  readonly facts: Facts;
}

/** Both sides, and what lies between them. */
export interface Sides {
  readonly found: Found;
  readonly goal: Goal;
  readonly change: Change;
  readonly ownership: Ownership;
  /** Steps for roles, which belong to no database. */
  readonly roles: readonly StepDraft[];
  /** Steps for run-time objects, asked of a database that has the structure. */
  readonly settle: (on: Pool) => Promise<readonly (readonly StepDraft[])[]>;
  /** Steps for partitions that lack their parent's protection. */
  readonly mend: (on: Pool) => Promise<readonly StepDraft[]>;
  /** The goal is the target, altered. */
  readonly altered: boolean;
  /** The target. */
  readonly pool: Pool;
  readonly server: ScratchServer;
  readonly tell: (stage: PlanProgress['stage']) => void;
}

/**
 * Reads both sides and compares them, for the time of `work`.
 * @param url the target's connection string; it is only read
 * @returns what `work` returns
 * @throws HoldfastError as `plan` does, from reading, loading and comparing
 */
export async function withSides<T>(
  wanted: LoweredDefinition,
  { url, options }: { readonly url: string; readonly options: PlanOptions },
  work: (sides: Sides) => Promise<T>,
): Promise<T> {
  const pool = openPool(url, { max: 4, applicationName: 'holdfast plan' });
  try {
    return await withScratch({ ...options, url }, async (server) =>
      work(await sidesOf(wanted, { pool, options, server })),
    );
  } finally {
    await pool.end();
  }
}

interface Around {
  readonly pool: Pool;
  readonly options: PlanOptions;
  readonly server: ScratchServer;
}

async function sidesOf(wanted: LoweredDefinition, around: Around): Promise<Sides> {
  const { pool, options, server } = around;
  const { model, traits, lowered } = wanted;
  const names = lowered.roles.map((role) => role.name);
  const tell = (stage: PlanProgress['stage']): void => {
    options.onProgress?.({ stage });
    refuseAborted(options.signal);
  };
  tell('reading the database and the definition');
  const roles = await reading(pool, (query) => roleSteps(query, lowered.roles));
  if (server.own) await rehearseRoles(pool, roles);
  const { read, loaded } = await bothRead(wanted, around);
  tell('comparing');
  return {
    ...(await compared(read, loaded, options)),
    roles,
    settle: (on) => reading(on, (query) => settle({ model, traits, query, now: options.now })),
    // An alteration says itself what becomes of partitions.
    mend: async (on) =>
      wanted.alter === undefined ? reading(on, (query) => mendPartitions(query, names)) : [],
    altered: wanted.alter !== undefined,
    pool,
    server,
    tell,
  };
}

async function bothRead(
  wanted: LoweredDefinition,
  around: Around,
): Promise<{ readonly read: Found; readonly loaded: Loaded }> {
  const { pool, options } = around;
  if (wanted.alter !== undefined) {
    const read = await readTarget(pool, options.ledgerSchema);
    return { read, loaded: await alterGoal(wanted.alter, around, read) };
  }
  // Both are awaited whatever happens to the other: a scratch database must not go while something runs in it.
  const [read, loaded] = await Promise.allSettled([
    readTarget(pool, options.ledgerSchema),
    loadGoal(wanted, around),
  ]);
  if (loaded.status === 'rejected') throw loaded.reason;
  if (read.status === 'rejected') throw read.reason;
  return { read: read.value, loaded: loaded.value };
}

async function compared(
  found: Found,
  loaded: Loaded,
  options: PlanOptions,
): Promise<Pick<Sides, 'found' | 'goal' | 'change' | 'ownership'>> {
  const ownership: Ownership = {
    previous: new Set(loaded.previous ?? options.previous ?? found.last?.manages ?? []),
    allowed: new Set((options.allowDataLoss ?? []).map(withoutKind)),
    publicTouched: loaded.publicTouched,
  };
  const { scratch } = loaded;
  const facts = await elaborate({ scratch: scratch.pool, goal: loaded.facts, found: found.facts, ownership });
  return { found, goal: { scratch, facts }, change: planChange(found.facts, facts, ownership), ownership };
}

/** `table shop.old` and `shop.old` name the same. */
function withoutKind(name: string): string {
  return name.slice(name.lastIndexOf(' ') + 1);
}

async function readTarget(pool: Pool, ledgerSchema: string | undefined): Promise<Found> {
  const [facts, dump, run, versionNumber] = await Promise.all([
    extract(pool),
    catalogueDump(pool),
    lastApplied(pool, ledgerSchema),
    serverVersion(pool),
  ]);
  return { facts, dump, last: run?.plan as Plan | undefined, versionNumber };
}

interface Loaded extends Goal {
  readonly publicTouched: boolean;
  /** What may be dropped, where that is not what an earlier plan made. */
  readonly previous?: readonly string[];
}

async function loadGoal({ lowered }: LoweredDefinition, { server, pool }: Around): Promise<Loaded> {
  const scratch = await server.make();
  const names = lowered.roles.map((role) => role.name);
  await server.ensureRoles(server.own ? names : await everyRole(pool, names));
  const before = await publicSchema(scratch.pool);
  await load(scratch.pool, lowered.statements);
  const publicTouched = (await publicSchema(scratch.pool)) !== before;
  return { scratch, facts: await extract(scratch.pool), publicTouched };
}

async function alterGoal(
  alter: (goal: Pool) => Promise<void>,
  { server, pool }: Around,
  { facts }: Found,
): Promise<Loaded> {
  const scratch = await server.make();
  await server.ensureRoles(server.own ? [] : await everyRole(pool, []));
  await reading(pool, (query) => copyStructure({ query, facts }, scratch.pool));
  const before = await publicSchema(scratch.pool);
  await alter(scratch.pool);
  const publicTouched = (await publicSchema(scratch.pool)) !== before;
  await dropPartitions(scratch.pool, await reading(scratch.pool, partitionsOf));
  // Whatever the goal lacks was dropped there on purpose.
  const previous = managedKeys(facts);
  return { scratch, facts: await extract(scratch.pool), publicTouched, previous };
}

const EVERY_ROLE_SQL = `SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname NOT LIKE 'pg\\_%'`;

/** Another server knows none of the target's roles; owners and grants there may speak of any. */
async function everyRole(pool: Pool, names: readonly string[]): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(EVERY_ROLE_SQL);
  return [...new Set([...rows.map((row) => row.name), ...names])];
}

const PUBLIC_SQL = `
  SELECT pg_catalog.concat_ws(' ', n.nspowner, n.nspacl::pg_catalog.text,
                              pg_catalog.obj_description(n.oid, 'pg_namespace')) AS said
  FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'`;

async function publicSchema(pool: Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ said: string }>(PUBLIC_SQL);
  return rows[0]?.said;
}
