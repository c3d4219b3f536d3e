// What differs between the definition, the ledger and the server, as values with a sentence each. Changes nothing.
import type { Definition } from '../define/database.ts';
import { catalogueDump, type DumpLine } from './catalogue-dump.ts';
import { compare, type Difference as LineDifference } from './compare.ts';
import { fingerprintOf } from './fingerprint.ts';
import { lowered } from './plan.ts';
import { withSides, type LoweredDefinition, type PlanOptions, type Sides } from './sides.ts';

/** One difference between definition and server. */
export interface Difference {
  /** `table shop.orders` */
  readonly object: string;
  /** What of it: `column note`, `index orders_at`; '' for the object as a whole. */
  readonly facet: string;
  readonly kind: 'missing' | 'unknown' | 'different' | 'run-time';
  readonly sentence: string;
}

/** What {@link drift} found. */
export interface Drift {
  /** What a plan would change, by object. Partitions that exist are run-time state and never in here. */
  readonly differences: readonly Difference[];
  /** Objects on the server that nobody asked for and that stay: a sentence each. */
  readonly notes: readonly string[];
  /** Whether the server is as the last applied plan left it; null when none is in force. */
  readonly asApplied: boolean | null;
}

/**
 * Compares definition, ledger and server.
 * @param definition a value of `database`
 * @param url the server's database; it is only read
 * @param options as of `plan`
 * @throws HoldfastError as `plan` does, except for what only a rehearsal can find
 */
export async function drift(definition: Definition, url: string, options: PlanOptions): Promise<Drift> {
  return driftLowered(await lowered(definition, options), url, options);
}

/** As {@link drift}, of a definition that was lowered already. */
export async function driftLowered(
  wanted: LoweredDefinition,
  url: string,
  options: PlanOptions,
): Promise<Drift> {
  return withSides(wanted, { url, options }, async (sides) => {
    const goal = await catalogueDump(sides.goal.scratch.pool);
    const structural = wholes(compare(sides.found.dump, goal, counting(sides)).map(difference));
    // Asking for run-time objects makes sense only where the structure they hang on is there.
    const runtime = sides.change.forward.length > 0 ? [] : await missingAtRunTime(sides);
    sides.tell('done');
    const roles = sides.roles.map((step) =>
      says(step.subject, `${step.subject} is not as the definition has it`),
    );
    const { last } = sides.found;
    return {
      differences: unique([...roles, ...structural, ...runtime]),
      notes: sides.change.notes,
      asApplied: last === undefined ? null : last.to === fingerprintOf(sides.found.dump),
    };
  });
}

function counting({ change, ownership, goal }: Sides): (line: DumpLine, other?: DumpLine) => boolean {
  const kept = new Set(change.kept);
  const planned = change.forward.length > 0;
  return (line, other) => {
    if (line.partition || other?.partition === true) return false;
    if (kept.has(line.object) || kept.has(`schema ${line.schema ?? ''}`)) return false;
    if (line.object === 'schema public' && !ownership.publicTouched) return false;
    if (line.facet === 'owner' && (other ?? line).value === goal.facts.user) return false;
    // Where the planner sees no difference, one of spelling alone is none.
    return !(other !== undefined && other.value === line.value && !planned);
  };
}

async function missingAtRunTime(sides: Sides): Promise<Difference[]> {
  const [settled, mended] = await Promise.all([sides.settle(sides.pool), sides.mend(sides.pool)]);
  return [
    ...settled
      .flatMap((list) => list.slice(0, 1))
      .map((step) => says(step.subject, `${step.subject} is not there yet`)),
    ...mended.map((step) => says(step.subject, `${step.subject} lacks its parent's protection`)),
  ];
}

function says(object: string, sentence: string): Difference {
  return { object, facet: '', kind: 'run-time', sentence: `${sentence}.` };
}

function difference(line: LineDifference): Difference {
  const { object, facet, left, right } = line;
  const what = `${object}, ${facet}`;
  if (left === undefined) {
    return {
      object,
      facet,
      kind: 'missing',
      sentence: `${what} is in the definition and not on the server.`,
    };
  }
  if (right === undefined) {
    return {
      object,
      facet,
      kind: 'unknown',
      sentence: `${what} is on the server and not in the definition.`,
    };
  }
  const sides = `${JSON.stringify(left)} on the server, ${JSON.stringify(right)} in the definition`;
  return { object, facet, kind: 'different', sentence: `${what}: ${sides}.` };
}

/** The facet of the dump that says that an object exists. */
const EXISTENCE = 'is';

/** An object that is missing or unknown as a whole is one difference, not one for each of its parts. */
function wholes(differences: readonly Difference[]): readonly Difference[] {
  const whole = new Map(
    differences
      .filter(({ facet, kind }) => facet === EXISTENCE && kind !== 'different')
      .map((one) => [one.object, one]),
  );
  return differences.flatMap((one) => {
    const all = whole.get(one.object);
    if (all === undefined) return [one];
    const sentence = all.sentence.replace(`, ${EXISTENCE} is `, ' is ');
    return all === one ? [{ ...one, facet: '', sentence }] : [];
  });
}

function unique(differences: readonly Difference[]): readonly Difference[] {
  return [...new Map(differences.map((one) => [one.sentence, one])).values()];
}
