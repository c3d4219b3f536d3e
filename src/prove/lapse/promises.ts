// What a definition promises about time, with the trait each promise comes from: the pieces it reads are that trait's.
import {
  label,
  type Definition,
  type Horizon,
  type RelationName,
  type Residence,
  type Sum,
} from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';

/** A promise and the trait that made it. */
export type Of<P> = P & { readonly trait: string };

/** Every promise of a definition about time. */
export interface Promises {
  readonly residences: readonly Of<Residence>[];
  readonly horizons: readonly Of<Horizon>[];
  readonly sums: readonly Of<Sum>[];
  /** The relations whose rows have to be booked, each with the column of their time. */
  readonly relations: readonly { readonly of: RelationName; readonly column: string }[];
}

/**
 * Gathers them.
 * @throws HoldfastError HF_LAPSE_NOTHING when there are none: a replay would show nothing; HF_LAPSE_COLUMN when two
 *   promises count one relation's time by different columns; HF_LAPSE_JOB when one hangs on a job that is not there
 */
export function promisesOf(definition: Definition): Promises {
  const all = definition.traits.flatMap((trait) => {
    const made = trait.promises?.(definition.model);
    return made === undefined ? [] : [{ trait: trait.name, made }];
  });
  const residences = all.flatMap(({ trait, made }) =>
    (made.residences ?? []).map((one) => ({ ...one, trait })),
  );
  const horizons = all.flatMap(({ trait, made }) => (made.horizons ?? []).map((one) => ({ ...one, trait })));
  const sums = all.flatMap(({ trait, made }) => (made.sums ?? []).map((one) => ({ ...one, trait })));
  if (residences.length + horizons.length + sums.length === 0) throw nothing(definition.name);
  for (const { job, trait } of [...residences, ...horizons, ...sums])
    if (!definition.jobs.some((one) => one.name === job)) throw noJob(definition.name, { job, trait });
  const relations = new Map<string, { readonly of: RelationName; readonly column: string }>();
  for (const { of, column } of [...residences, ...horizons]) {
    const known = relations.get(label(of));
    if (known !== undefined && known.column !== column) throw twoColumns(of, [known.column, column]);
    relations.set(label(of), { of, column });
  }
  return { residences, horizons, sums, relations: [...relations.values()] };
}

function nothing(name: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_LAPSE_NOTHING',
    subject: `definition ${name}`,
    what: 'it promises nothing about time, so a replay would show nothing.',
    fix: 'Add partitions, retention or rollups to its traits.',
  });
}

// Without its job nothing would ever be late.
function noJob(
  name: string,
  { job, trait }: { readonly job: string; readonly trait: string },
): HoldfastError {
  return new HoldfastError({
    code: 'HF_LAPSE_JOB',
    subject: `definition ${name}`,
    what: `a promise of trait ${trait} hangs on job ${job}, and the definition has no such job.`,
    fix: 'Give the job a schedule, or the trait the name of one that has.',
  });
}

function twoColumns(of: RelationName, columns: readonly string[]): HoldfastError {
  return new HoldfastError({
    code: 'HF_LAPSE_COLUMN',
    subject: `table ${label(of)}`,
    what: `its promises count time by different columns (${columns.join(' and ')}), and a replay knows one.`,
    fix: 'Range its partitions and its retention by the same column.',
  });
}
