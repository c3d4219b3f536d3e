// Shows that whoever asks to be forgotten is: rows are made, one subject of each kind is erased by the ordinary path, and
// every place is searched for what was theirs.
import {
  type Accepted,
  type Boundary,
  type Definition,
  findTable,
  label,
  type Model,
  type RelationName,
  type Removal,
} from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import type { ProofProgress } from '../evidence.ts';
import { populate, type World } from '../rows/index.ts';
import { hasArchives, type Lived, live, settleFigures } from './archives.ts';
import { type Ground, withGround } from './ground.ts';
import { type Nobody, type Subject, subjectIn } from './subjects.ts';
import { type Trial, tryOnce, tryOut } from './trial.ts';

/** What {@link proveRemoval} needs. */
export interface RemovalOptions {
  readonly definition: Definition;
  readonly baseDir?: string;
  /** The database that the definition is for: it is asked its version alone. */
  readonly url?: string;
  /** A server to work on, as a superuser; absent: an embedded one. */
  readonly serverUrl?: string;
  readonly now: Date;
  readonly signal?: AbortSignal;
  /** How often each erasure is stopped at a statement; default {@link removalDefaults}. */
  readonly stops?: number;
  /** The same seed gives the same rows and stops. */
  readonly seed?: number;
  readonly onProgress?: (progress: ProofProgress) => void;
  /** What the proof is called in progress and evidence; default {@link removalDefaults}. */
  readonly proof?: string;
}

/** Defaults of {@link RemovalOptions}. */
export const removalDefaults = { stops: 2, seed: 1, proof: 'removal' } as const;

/** What was seen. */
export interface Removed {
  readonly proof: string;
  readonly trials: readonly Trial[];
  /** Kinds of subjects of which nobody could be made. */
  readonly nobody: readonly { readonly name: string; readonly why: string }[];
  /** Owners that rows were made for, and how many rows. */
  readonly owners: number;
  readonly rows: number;
  readonly lived: Lived;
  readonly accepted: readonly Accepted[];
  readonly notes: readonly string[];
  readonly durationMs: number;
}

/**
 * Carries out on made-up rows what a definition says of subjects that ask to be forgotten, and looks for what is left of
 * them. The definition is built in a scratch database, with its archives and everything else outside in a folder; the
 * database that it is for is not touched.
 * @throws HoldfastError HF_REMOVAL_NOTHING when the definition forgets nobody; HF_REMOVAL_SERVER; as `withBuilt` and
 *   `runJob` do
 */
export async function proveRemoval(options: RemovalOptions): Promise<Removed> {
  const startedAt = performance.now();
  const { definition } = options;
  if (definition.proofs.removals.length === 0) throw nothing(definition.name);
  const say = teller(options);
  say('starting a server and building the definition');
  const seen = await withGround(options, async (ground) => onGround(ground, options, say));
  return { ...seen, durationMs: Math.round(performance.now() - startedAt) };
}

function teller({ onProgress, proof = removalDefaults.proof }: RemovalOptions): (doing: string) => void {
  let done = 0;
  return (doing) => {
    onProgress?.({ proof, doing, done });
    done += 1;
  };
}

async function onGround(
  ground: Ground,
  options: RemovalOptions,
  say: (doing: string) => void,
): Promise<Omit<Removed, 'durationMs'>> {
  const { removals, accepted } = ground.definition.proofs;
  const rounds = hasArchives(ground) ? (['online', 'archived'] as const) : (['online'] as const);
  const { seed = removalDefaults.seed, stops = removalDefaults.stops, signal } = options;
  say('making rows');
  const population = await populate(ground, {
    boundaries: boundariesOf(ground.definition),
    // One owner for each that is erased, and one to whom nothing happens.
    worlds: removals.length * rounds.length + 1,
    leaveOut: (of) => isFilled(ground.definition.model, of),
    seed,
    ...(signal !== undefined && { signal }),
  });
  const found: (Subject | Nobody)[][] = [];
  for (const number of rounds.keys())
    found.push([...(await subjectsIn(ground, population.worlds.slice(number * removals.length)))]);
  say('bringing figures up to date');
  const failed = await settleFigures(ground, ground.now);
  const trials: Trial[] = [];
  const tryRound = async (number: number, now: Date): Promise<void> => {
    for (const subject of (found[number] ?? []).filter((one): one is Subject => 'named' in one)) {
      signal?.throwIfAborted();
      say(`erasing a ${subject.removal.name}`);
      const last = number === rounds.length - 1;
      const how = { round: rounds[number] ?? 'online', now, stops, seed, accepted, signal, say };
      trials.push(await (last ? tryOut(ground, subject, how) : tryOnce(ground, subject, how)));
    }
  };
  if (rounds.length > 1) await tryRound(0, ground.now);
  say('letting time go by');
  const lived = await live(ground);
  await tryRound(rounds.length - 1, lived.now);
  return {
    proof: options.proof ?? removalDefaults.proof,
    trials,
    nobody: found.flat().flatMap((one) => ('named' in one ? [] : [{ name: one.removal.name, why: one.why }])),
    owners: population.worlds.length,
    rows: population.worlds.reduce((sum, world) => sum + world.rows.length, population.shared.length),
    lived,
    accepted: accepted.filter(({ code }) => code === 'removal'),
    notes: [
      ...population.empty.map(({ of, why }) => `no row could be made for ${label(of)}: ${why}`),
      ...failed,
      ...lived.notes,
    ],
  };
}

/** What promises keep for themselves, archives and sums are filled by what fills them ever after. */
function isFilled(model: Model, of: RelationName): boolean {
  const table = findTable(model, of);
  return table?.internal === true || table?.archiveOf !== undefined || table?.derived === true;
}

/** Those within an owner first: an owner takes them along. */
async function subjectsIn(ground: Ground, worlds: readonly World[]): Promise<readonly (Subject | Nobody)[]> {
  const found: (Subject | Nobody)[] = [];
  for (const [at, removal] of ground.definition.proofs.removals.entries()) {
    const world = worlds[at];
    if (world !== undefined) found.push(await subjectIn(ground, removal, world));
  }
  return found.toSorted((a, b) => within(b) - within(a));
}

function within(one: Subject | Nobody): number {
  return 'named' in one && one.within !== undefined ? 1 : 0;
}

/** The lines that the definition draws; where it draws none, the one between those whose rows can be made to go. */
function boundariesOf({ model, proofs }: Definition): readonly Boundary[] {
  if (proofs.boundaries.length > 0) return proofs.boundaries;
  const outer = proofs.removals.some(({ tables }) => tables.some((rule) => rule.within !== undefined));
  const largest = proofs.removals.toSorted((a, b) => b.tables.length - a.tables.length).slice(0, 1);
  return [boundaryOf(model, outer ? proofs.removals : largest)];
}

/** Between those that others are within, where there are such; else between the subjects themselves. */
function boundaryOf(model: Model, removals: readonly Removal[]): Boundary {
  const columns = new Map<string, { readonly of: RelationName; readonly column: string }>();
  for (const rule of removals.flatMap(({ tables }) => tables)) {
    const column = rule.within ?? rule.by[0];
    const known = columns.has(label(rule.of)) && rule.within === undefined;
    if (column !== undefined && !known) columns.set(label(rule.of), { of: rule.of, column });
  }
  const named = new Set(removals.flatMap(({ tables }) => tables.map((rule) => label(rule.of))));
  return {
    name: 'owner',
    setting: 'holdfast.owner',
    tables: [...columns.values()],
    shared: model.tables
      .filter((table) => !named.has(label(table)))
      .map(({ schema, name }) => ({ of: { schema, name }, because: 'nothing says whose its rows are' })),
    roles: [],
    spanning: [],
  };
}

function nothing(name: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_REMOVAL_NOTHING',
    subject: `definition ${name}`,
    what: 'it does not say who can ask to be forgotten, so there is nothing to show.',
    fix: 'Say so in its traits, or leave this proof out.',
  });
}
