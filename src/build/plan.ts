// Definition and database give a plan: what would change, in steps that were already run forward and back on a copy.
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import type { Definition } from '../define/database.ts';
import type { Model } from '../define/model.ts';
import type { Trait } from '../define/trait.ts';
import { majorOf, target } from '../server/index.ts';
import { catalogueDump, lineKey, type Dump, type DumpLine } from './catalogue-dump.ts';
import { reading } from './catalogue-session.ts';
import { copyStructure } from './copy.ts';
import { managedKeys } from './engine/index.ts';
import { fingerprintOf } from './fingerprint.ts';
import { lower } from './lower.ts';
import { toSteps } from './online/index.ts';
import { pgDumpReader } from './pg-dump.ts';
import { rehearse, type Rehearsed } from './rehearse.ts';
import { targetShape } from './shape.ts';
import { withSides, type LoweredDefinition, type PlanOptions, type Sides } from './sides.ts';
import type { Plan } from './step.ts';
import { numbered } from './steps.ts';
import { refuseUnmanaged } from './unmanaged.ts';

/**
 * Plans what brings a database to a definition. The database is only read; everything is tried on scratch databases.
 * @param definition a value of `database`
 * @param url the target's connection string
 * @param options the clock, and where scratch databases are made
 * @returns a rehearsed plan; one without steps when there is nothing to do
 * @throws HoldfastError HF_DDL and HF_NOT_IMMUTABLE for statements PostgreSQL refuses, HF_NO_SCRATCH and
 *   HF_NO_ROLE_RIGHT when it cannot be rehearsed, HF_REHEARSAL when the rehearsal does not end where it should,
 *   HF_NOT_MANAGED for kinds of objects that cannot be planned, HF_REPLACES_TABLE, HF_PLANNER, HF_INTERRUPTED
 */
export async function plan(definition: Definition, url: string, options: PlanOptions): Promise<Plan> {
  return planLowered(await lowered(definition, options), url, options);
}

/** Lowers a definition, keeping beside it what planning asks of the definition itself. */
export async function lowered(
  definition: Definition,
  options: Pick<PlanOptions, 'baseDir'>,
): Promise<LoweredDefinition> {
  const from = options.baseDir === undefined ? {} : { baseDir: options.baseDir };
  return { lowered: await lower(definition, from), model: definition.model, traits: definition.traits };
}

/** What a database is to become where no definition says it: itself, altered. */
export interface Alteration {
  /**
   * Runs in a copy of the target's structure, its partitions there and without rows. What it changes is planned; what it
   * does to partitions is not.
   */
  readonly alter: (goal: Pool) => Promise<void>;
  /** Run-time objects that should exist when the structure is there. */
  readonly settle: NonNullable<Trait['settle']>;
}

/**
 * Plans an alteration of a database as {@link plan} plans a definition: online steps, rehearsed forward and back. The
 * plan claims no object for a definition, so that a later plan drops none because of it.
 * @throws HoldfastError as {@link plan} does, and what `alter` throws
 */
export async function planAlteration(
  alteration: Alteration,
  url: string,
  options: PlanOptions,
): Promise<Plan> {
  const model: Model = {
    name: 'alteration',
    schemas: [],
    extensions: [],
    roles: [],
    enums: [],
    sequences: [],
    tables: [],
    views: [],
    statements: [],
  };
  return planLowered(
    {
      lowered: { roles: [], extensions: [], statements: [] },
      model,
      traits: [{ name: 'alteration', settle: alteration.settle }],
      alter: alteration.alter,
    },
    url,
    options,
  );
}

/** As {@link plan}, of a definition that was lowered already. */
export async function planLowered(
  wanted: LoweredDefinition,
  url: string,
  options: PlanOptions,
): Promise<Plan> {
  const startedAt = performance.now();
  return withSides(wanted, { url, options }, async (sides) => {
    const done = (await nothingToDo(sides)) ?? (await rehearsed(sides));
    sides.tell('done');
    const manages =
      wanted.alter === undefined ? managedKeys(sides.goal.facts) : (sides.found.last?.manages ?? []);
    return sealed(sides, done, { database: target(url).database, startedAt, manages });
  });
}

/** The steps of a plan, and how the target reads when they have run. */
interface Done extends Pick<Rehearsed, 'steps' | 'back' | 'comparedBy'> {
  readonly end: Dump;
}

async function nothingToDo(sides: Sides): Promise<Done | undefined> {
  const { change, found, goal, ownership, pool } = sides;
  if (change.forward.length > 0) return undefined;
  const [settled, mended] = await Promise.all([sides.settle(pool), sides.mend(pool)]);
  if (settled.length > 0 || mended.length > 0) return undefined;
  const read = await catalogueDump(goal.scratch.pool);
  refuseUnmanaged(found.dump, read, { publicTouched: ownership.publicTouched });
  return { steps: [], end: found.dump, back: 'equal', comparedBy: 'catalogue' };
}

async function rehearsed(sides: Sides): Promise<Done> {
  const { change, found, goal, pool, server } = sides;
  const shape = await targetShape(pool, found.versionNumber);
  const steps = change.forward.length === 0 ? [] : toSteps(change, shape);
  sides.tell('copying the structure');
  const copy = await server.make();
  await reading(pool, (query) => copyStructure({ query, facts: found.facts }, copy.pool));
  sides.tell('rehearsing');
  const read = await pgDumpReader(majorOf(found.versionNumber));
  const done = await rehearse({
    copy: copy.pool,
    ...(read === undefined ? {} : { dumped: { read, copyUrl: copy.url, goalUrl: goal.scratch.url } }),
    goal: { pool: goal.scratch.pool, facts: goal.facts },
    ownership: sides.ownership,
    kept: change.kept,
    partitionsAsTheyAre: sides.altered,
    steps,
    settle: sides.settle,
    mend: sides.mend,
  });
  return { ...done, end: onTarget(done, sides) };
}

function sealed(
  sides: Sides,
  done: Done,
  about: {
    readonly database: string;
    readonly startedAt: number;
    readonly manages: readonly string[];
  },
): Plan {
  const { database, startedAt, manages } = about;
  const steps = numbered(sides.roles, done.steps);
  const from = fingerprintOf(sides.found.dump);
  const to = fingerprintOf(done.end);
  const id = createHash('sha256').update(JSON.stringify({ database, from, to, steps })).digest('hex');
  return {
    formatVersion: 1,
    database,
    id,
    from,
    to,
    serverVersion: sides.found.versionNumber,
    steps,
    reversible: done.back === 'equal',
    rehearsal: {
      forward: 'equal',
      back: done.back,
      comparedBy: done.comparedBy,
      durationMs: Math.round(performance.now() - startedAt),
    },
    manages,
    notes: sides.change.notes,
  };
}

/**
 * What the target will read as: what the plan left alone is spelled there as it is now, because a copy is a reload of
 * it; what the plan made is spelled as on the copy, where the same statements ran.
 */
function onTarget(rehearsed: Pick<Rehearsed, 'start' | 'end'>, { found, goal }: Sides): Dump {
  const start = new Map(rehearsed.start.map((line) => [lineKey(line), line]));
  const now = new Map(found.dump.map((line) => [lineKey(line), line]));
  return rehearsed.end.map((line) => {
    const before = start.get(lineKey(line));
    const there = now.get(lineKey(line));
    const left = before?.value === line.value && before.text === line.text;
    if (there !== undefined && left && isWhole(there) === isWhole(line)) return there;
    if (line.facet === 'owner' && line.value === goal.facts.user) return { ...line, value: found.facts.user };
    return line;
  });
}

// A plain index that a failure left is whole in a copy.
function isWhole(line: DumpLine): boolean {
  return !line.value.startsWith('INVALID');
}
