// Every proof the command line knows, by the name it is called with: the one place that ties engines to words.
import type { Plan } from '../build/index.ts';
import type { Boundary } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import {
  budgetsEvidence,
  type Evidence,
  findTraps,
  guessBoundaries,
  isolationEvidence,
  planFixes,
  type ProofProgress,
  proveBudgets,
  proveIsolation,
  proveRemoval,
  proveStructure,
  removalEvidence,
  structureEvidence,
  trapsEvidence,
} from '../prove/index.ts';
import { withClient } from '../server/index.ts';
import type { Loaded } from './load.ts';
import { scratchServer } from './target.ts';

/** What is proved, and with what. */
export interface Subject {
  /** The database, password included: never printed. */
  readonly url: string;
  /** The definition; absent for a database that is known by its URL alone. */
  readonly loaded?: Loaded;
  /** Lines between owners that the definition declares; absent: they are guessed from the catalogue. */
  readonly boundaries?: readonly Boundary[];
  /** What a person says of a database without a definition. */
  readonly hints: {
    readonly column?: string;
    readonly setting?: string;
    readonly roles?: readonly string[];
  };
  /** Codes of checks, names of budgets: what of a proof is run; absent: all of it. */
  readonly only?: readonly string[];
  /** Sizes of budgets, as multiples of what they state. */
  readonly scales?: readonly number[];
  /** Plan the mends of traps. */
  readonly fix?: boolean;
  /** A server to attack and measure on, as a superuser; absent: embedded ones. */
  readonly serverUrl?: string;
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ProofProgress) => void;
}

/** What a proof gave. */
export interface Found {
  readonly evidence: Evidence;
  /** What would mend it, where that was asked for; or why there is no plan. */
  readonly plan?: Plan | { readonly why: string };
}

/** One proof. */
export interface Proof {
  readonly name: string;
  /** Whether it can be run without a definition. */
  readonly foreign: boolean;
  /** Whether it is run when none is named. */
  readonly applies: (subject: Subject) => boolean;
  /** What of `only` speaks of this proof. */
  readonly of: (only: string) => boolean;
  readonly run: (subject: Subject) => Promise<Found>;
}

/** In the order they run: what takes seconds before what takes minutes. */
export const PROOFS: readonly Proof[] = [
  {
    name: 'structure',
    foreign: false,
    applies: ({ loaded }) => loaded !== undefined,
    of: () => false,
    run: async ({ loaded, url, now, signal, onProgress }) => {
      const { definition, baseDir } = loaded as Loaded;
      const options = { definition, baseDir, url, now, signal, fallback: scratchServer, onProgress };
      return { evidence: structureEvidence(await proveStructure(options)) };
    },
  },
  {
    name: 'isolation',
    foreign: true,
    // Of a definition that draws no line nothing is promised; of a database without one all is to be found out.
    applies: ({ loaded, boundaries }) => loaded === undefined || boundaries !== undefined,
    of: () => false,
    run: async ({ url, loaded, boundaries, hints, serverUrl, now, signal, onProgress }) => ({
      evidence: isolationEvidence(
        await proveIsolation({
          url,
          ...(boundaries !== undefined && { boundaries }),
          ...(loaded !== undefined && { accepted: loaded.definition.proofs.accepted }),
          hints,
          ...(serverUrl !== undefined && { scratchUrl: serverUrl }),
          now,
          signal,
          onProgress,
        }),
      ),
    }),
  },
  {
    name: 'traps',
    foreign: true,
    applies: () => true,
    of: isCode,
    run: async (subject) => {
      const traps = await findTraps(await trapsOptions(subject));
      const evidence = trapsEvidence(traps);
      return subject.fix === true ? { evidence, plan: await fixes(subject, traps) } : { evidence };
    },
  },
  {
    name: 'erasure',
    foreign: false,
    applies: ({ loaded }) => (loaded?.definition.proofs.removals.length ?? 0) > 0,
    of: () => false,
    run: async ({ loaded, url, serverUrl, now, signal, onProgress }) => {
      const { definition, baseDir } = loaded as Loaded;
      const removed = await proveRemoval({
        definition,
        baseDir,
        url,
        ...(serverUrl !== undefined && { serverUrl }),
        now,
        signal,
        onProgress,
        proof: 'erasure',
      });
      return { evidence: removalEvidence(removed) };
    },
  },
  {
    name: 'budgets',
    foreign: false,
    applies: ({ loaded }) => (loaded?.definition.proofs.budgets.length ?? 0) > 0,
    of: (only) => !isCode(only),
    run: async ({ loaded, serverUrl, scales, only = [], now, signal, onProgress }) => {
      const { definition, baseDir } = loaded as Loaded;
      const names = only.filter((name) => !isCode(name));
      const measured = await proveBudgets({
        definition,
        baseDir,
        ...(serverUrl !== undefined && { url: serverUrl }),
        ...(scales !== undefined && { scale: scales }),
        ...(names.length > 0 && { only: names }),
        now,
        signal,
        onProgress,
      });
      return { evidence: budgetsEvidence(measured) };
    },
  },
];

function isCode(text: string): boolean {
  return /^HT\d+$/.test(text);
}

async function trapsOptions(subject: Subject): Promise<Parameters<typeof findTraps>[0]> {
  const { url, loaded, hints, now, signal, onProgress } = subject;
  const boundaries = subject.boundaries ?? (await hinted(subject));
  const only = subject.only?.filter(isCode) ?? [];
  return {
    url,
    ...(boundaries !== undefined && { boundaries }),
    ...(hints.roles !== undefined && { roles: hints.roles }),
    ...(only.length > 0 && { only }),
    accepted: loaded?.definition.proofs.accepted ?? [],
    now,
    signal,
    onProgress,
  };
}

/** What was found is shown also where nothing mends it. */
async function fixes(
  { url, now, signal, onProgress }: Subject,
  traps: Awaited<ReturnType<typeof findTraps>>,
): Promise<Plan | { readonly why: string }> {
  try {
    return await planFixes(url, traps, {
      now,
      signal,
      fallback: scratchServer,
      onProgress: ({ stage }) => onProgress({ proof: 'traps', doing: `planning mends, ${stage}`, done: 0 }),
    });
  } catch (error) {
    if (signal.aborted || !(error instanceof HoldfastError)) throw error;
    return { why: `${error.subject}: ${error.what}` };
  }
}

/** Boundaries by what a person said; without a word of theirs the search guesses for itself. */
async function hinted({ url, hints }: Subject): Promise<readonly Boundary[] | undefined> {
  if (hints.column === undefined && hints.setting === undefined) return undefined;
  return withClient(url, async (client) => {
    const { boundaries } = await guessBoundaries(
      async (sql, values = []) => (await client.query(sql, [...values])).rows,
      hints,
    );
    return boundaries;
  });
}
