// The parts of a collection: the engine's own, then one for each trait value that watches.
import type { Definition } from '../define/database.ts';
import type { Piece } from '../define/job.ts';
import type { Metric, Sample, WatchContext, Watched } from '../define/measure.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { databasePart } from './database.ts';
import { jobsPart } from './jobs.ts';
import { keeperPart } from './keeper.ts';
import { ledgerPart } from './ledger.ts';
import { proofsPart } from './proofs.ts';
import { relationsPart } from './relations.ts';

/** One part of a collection. */
export interface Part {
  /** What the label `collector` says. */
  readonly name: string;
  readonly metrics: readonly Metric[];
  readonly collect: (query: CatalogueQuery) => Promise<readonly Sample[]>;
  /** What is known when it fails. */
  readonly whenDown?: readonly Sample[];
  /** The face of the trait it comes from. */
  readonly watched?: Watched;
}

/** What parts are made from. */
export interface PartContext {
  /** The ledger's schema. */
  readonly schema: string;
  readonly now: Date;
  /** The pieces of a trait. Throws where they could not be read: none and unknown are not the same. */
  readonly piecesOf: (trait: string) => readonly Piece[];
}

/** Every part of a collection of this definition, in the order they run. */
export function partsOf(definition: Definition, context: PartContext): readonly Part[] {
  return [
    databasePart(definition),
    ledgerPart(context),
    keeperPart(context),
    jobsPart(definition, context),
    proofsPart(definition, context),
    relationsPart(definition),
    ...definition.measures.collectors.map(({ trait, watched }): Part => ({
      name: trait,
      metrics: watched.metrics,
      watched,
      collect: async (query) => watched.collect(watchContext(definition, context, { trait, query })),
    })),
  ];
}

function watchContext(
  { model }: Definition,
  { now, piecesOf }: PartContext,
  { trait, query }: { readonly trait: string; readonly query: CatalogueQuery },
): WatchContext {
  return {
    model,
    query,
    now,
    get pieces() {
      return piecesOf(trait);
    },
  };
}
