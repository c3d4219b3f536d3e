// One erasure being carried out: what it is given, and how what went is counted.
import type { ErasedPlace, SubjectRows } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import type { Sought } from './condition.ts';
import type { Part } from './parts.ts';
import type { ErasurePlan, Subject } from './plan.ts';
import { added, asPiece, requestOf } from './request.ts';

/** One erasure, and what it is carried out with. */
export interface Run {
  readonly context: TaskContext;
  readonly plan: ErasurePlan;
  readonly subject: Subject;
  readonly sought: Sought;
  readonly parts: readonly Part[];
  /** What every transaction asks that takes rows. */
  readonly guards: readonly ((query: CatalogueQuery, rows: SubjectRows) => Promise<void>)[];
  /** A relation as the report names it. */
  readonly placeOf: (relation: RelationName) => string;
  /** See {@link SubjectRows.seen}. */
  readonly seen: Set<string>;
}

/** Puts a run together. */
export function openRun(of: Pick<Run, 'context' | 'plan' | 'subject' | 'sought' | 'parts'>): Run {
  const { context, parts } = of;
  return {
    ...of,
    seen: new Set(),
    guards: parts.flatMap(({ part, context: own }) =>
      part.mayGo === undefined
        ? []
        : [async (query: CatalogueQuery, rows: SubjectRows) => part.mayGo?.(own, query, rows)],
    ),
    placeOf: (relation) => {
      const table = context.model.tables.find((one) => label(one) === label(relation));
      return `${table?.archiveOf === undefined ? 'table' : 'archive table'} ${label(relation)}`;
    },
  };
}

/** Whether the run is to stop before its next statement. */
export function stopped(run: Run): boolean {
  return run.context.signal.aborted;
}

/** Adds to the request what went, in the caller's transaction: it counts exactly what commits. */
export async function noted(
  run: Run,
  query: CatalogueQuery,
  by: { readonly erased: ErasedPlace; readonly touched: readonly RelationName[] },
): Promise<void> {
  const { pieces } = run.context;
  const request = await requestOf(pieces, idOf(run), query);
  if (request === undefined) throw forgotten(run);
  const named = by.touched.map(({ schema, name }) => ({ schema, name }));
  const touched = [...request.touched, ...named].filter(
    (one, at, all) => all.findIndex((other) => label(other) === label(one)) === at,
  );
  await pieces.put(
    query,
    asPiece({ ...request, counts: added(request.counts, by.erased), touched }),
    'erasing',
  );
}

/** What names the request of a run in the ledger. */
export function idOf(run: Pick<Run, 'subject' | 'sought'>): {
  readonly subject: string;
  readonly digest: string;
} {
  return { subject: run.subject.name, digest: run.sought.digest.toString('hex') };
}

/** The ledger does not know of a request that is being carried out. */
export function forgotten(run: Run): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_REQUEST',
    subject: `erasure of a ${run.subject.name}`,
    what: 'its request is no longer in the ledger.',
    fix: 'Ask for it again with holdfast erase; what is gone is gone.',
  });
}
