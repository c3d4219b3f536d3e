// Asks every trait which run-time objects are missing, once the structure is in place.
import type { CatalogueQuery, Trait } from '../define/trait.ts';
import type { Model } from '../define/model.ts';
import { HoldfastError } from '../error.ts';
import { settlementSteps, type StepDraft } from './steps.ts';

/** What the traits are asked about. */
export interface SettleRequest {
  readonly model: Model;
  readonly traits: readonly Trait[];
  readonly query: CatalogueQuery;
  /** The injected clock. */
  readonly now: Date;
}

/**
 * The steps that bring a database's run-time objects about: one list a settlement, in the traits' order.
 * @throws HoldfastError HF_SETTLE when a trait cannot say what is missing; HoldfastErrors of traits pass as they are
 */
export async function settle(request: SettleRequest): Promise<readonly (readonly StepDraft[])[]> {
  const { model, query, now } = request;
  const lists: (readonly StepDraft[])[] = [];
  for (const trait of request.traits) {
    if (trait.settle === undefined) continue;
    const settlements = await trait.settle({ model, query, now }).catch((cause: unknown) => {
      throw notSettled(trait, cause);
    });
    lists.push(...settlements.map(settlementSteps));
  }
  return lists;
}

function notSettled(trait: Trait, cause: unknown): unknown {
  if (cause instanceof HoldfastError) return cause;
  return new HoldfastError({
    code: 'HF_SETTLE',
    subject: `trait ${trait.name}`,
    what: `it could not say which run-time objects are missing: ${cause instanceof Error ? cause.message : String(cause)}.`,
    fix: 'Correct the trait; nothing was changed.',
    cause,
  });
}
