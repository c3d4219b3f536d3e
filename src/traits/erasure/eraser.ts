// What commands and the job ask of an erasure: what it would touch, to carry it out, to finish it, to hand rows out.
import type { ErasedPlace } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { label, type Model } from '../../define/model.ts';
import type { Trait } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { carryOut } from './carry-out.ts';
import { type Exported, exportRows } from './export.ts';
import type { ErasureOptions } from './options.ts';
import { partsOf } from './parts.ts';
import { type ErasurePlan, namedTables, planOf, type Subject } from './plan.ts';
import { register } from './register.ts';
import { replayed, type Replayed } from './replay.ts';
import { type Request, requestOf, requestsOf } from './request.ts';
import { rowsOf } from './rows.ts';
import { idOf, openRun, type Run } from './run.ts';
import { namedSubject, soughtIn } from './subject.ts';
import { personalTexts } from './texts.ts';

/** Whose erasure is asked for, and why it is lawful. */
export interface ErasureRequest {
  /** `person:7`, `person:acme/ana` where the key means something within another column. */
  readonly subject: string;
  /** `LGPD art. 18 VI`. */
  readonly basis: string;
  /**
   * Writes touched tables anew in the end (VACUUM FULL): no page of them keeps bytes of what went, and nobody reads or
   * writes a table while that lasts.
   */
  readonly rewrite?: boolean;
}

/** What an erasure would touch, or did. */
export interface ErasureReport {
  /** The kind of subject. */
  readonly subject: string;
  /** Digest of the key with the database's salt: how the request is called from now on. */
  readonly digest: string;
  readonly places: readonly ErasedPlace[];
  /** Rows that name it and stay, for the reason that the definition gives. */
  readonly kept: readonly (ErasedPlace & { readonly because: string })[];
  /** Caches outside the database that will be asked to forget it. */
  readonly caches: readonly string[];
}

/** The erasure of a definition. */
export interface Eraser {
  /** What would be touched. Reads only, every file of the archives included. */
  readonly preview: (context: TaskContext, subject: string) => Promise<ErasureReport>;
  /**
   * Registers a request: from then on no row of the subject is written, and the job carries it out.
   * @throws HoldfastError HF_ERASURE_NOTHING when no row of it is there, HF_ERASURE_SUBJECT, and what keeps rows from going
   */
  readonly register: (context: TaskContext, request: ErasureRequest) => Promise<Request>;
  /** Registers a request and carries it out. The context must lead. A second call goes on where the first was cut off. */
  readonly erase: (context: TaskContext, request: ErasureRequest) => Promise<Request>;
  /** Finishes what was begun, and repeats what is erased on rows that came back. The context must lead. */
  readonly replay: (context: TaskContext, how?: { readonly everywhere?: boolean }) => Promise<Replayed>;
  /** Every request of the database. */
  readonly requests: (context: Pick<TaskContext, 'pieces'>) => Promise<readonly Request[]>;
  /** Hands every row of a subject to `take`, wherever it lies. Reads only; a context that leads sees each row once. */
  readonly export: (
    context: TaskContext,
    subject: string,
    take: (row: Exported) => Promise<void>,
  ) => Promise<void>;
}

/** An erasure as `erasure(…)` gives it: commands find it by this. */
export interface ErasingTrait extends Trait {
  readonly eraser: (model: Model) => Eraser;
}

/** The erasures of a definition's traits. */
export function erasersOf(definition: {
  readonly traits: readonly Trait[];
  readonly model: Model;
}): readonly Eraser[] {
  return definition.traits.flatMap(
    (trait) => (trait as Partial<ErasingTrait>).eraser?.(definition.model) ?? [],
  );
}

/** The eraser of one erasure. */
export function eraserOf(model: Model, options: ErasureOptions): Eraser {
  const plan = planOf(model, options);
  const opened = async (context: TaskContext, text: string): Promise<Run> => {
    await mustStand(context, plan);
    const named = namedSubject(plan, text);
    const sought = await soughtIn(context.session, plan, named);
    return openRun({ context, plan, subject: named.subject, sought, parts: await partsOf(context) });
  };
  const registered = async (run: Run, { basis, rewrite }: ErasureRequest): Promise<Request> => {
    const known = await requestOf(run.context.pieces, idOf(run));
    if (known === undefined && (await placesOf(run)).every((place) => place.rows === 0))
      throw nothing(run.subject);
    return register(run, {
      basis,
      rewrite: rewrite === true,
      ...(options.tombstones !== undefined && { mirror: options.tombstones }),
    });
  };
  return {
    preview: async (context, subject) => reported(await opened(context, subject), options),
    register: async (context, request) =>
      shown(await registered(await opened(context, request.subject), request)),
    erase: async (context, request) => {
      const run = await opened(context, request.subject);
      await registered(run, request);
      return carryOut(run, await personalTexts(run));
    },
    replay: async (context, how = {}) => {
      // Where there is no register and no copy of one, nobody was ever erased.
      if (options.tombstones === undefined && !(await stands(context, plan)))
        return { erased: 0, rows: 0, waiting: 0 };
      await mustStand(context, plan);
      return replayed(context, plan, {
        ...how,
        ...(options.tombstones !== undefined && { mirror: options.tombstones }),
      });
    },
    requests: async ({ pieces }) => requestsOf(await pieces.list()).map(shown),
    export: async (context, subject, take) => exportRows(await opened(context, subject), take),
  };
}

/** A request without the key that it may hold while it is open. */
function shown({ open: _open, ...request }: Request): Request {
  return request;
}

async function stands(context: TaskContext, plan: ErasurePlan): Promise<boolean> {
  const [row] = await context.session.query<{ there: boolean }>(
    'SELECT pg_catalog.to_regclass($1) IS NOT NULL AND pg_catalog.to_regclass($2) IS NOT NULL AS there',
    [qualified(plan.register), qualified(plan.salt)],
  );
  return row?.there === true;
}

async function mustStand(context: TaskContext, plan: ErasurePlan): Promise<void> {
  if (await stands(context, plan)) return;
  throw new HoldfastError({
    code: 'HF_ERASURE_REGISTER',
    subject: 'this database',
    what: `the register of who was erased, ${plan.register.schema}.${plan.register.name}, is not there.`,
    fix: 'Apply the definition with holdfast apply; then try again.',
  });
}

async function placesOf(run: Run): Promise<readonly ErasedPlace[]> {
  const places: ErasedPlace[] = [];
  for (const rule of run.subject.rules) {
    if (rule.act === 'keep') continue;
    const rows = rowsOf(run, rule);
    places.push({ place: run.placeOf(rule.of), rows: await rows.count(rule.of) });
    for (const { part, context } of run.parts) places.push(...((await part.counts?.(context, rows)) ?? []));
  }
  return places;
}

async function reported(run: Run, options: ErasureOptions): Promise<ErasureReport> {
  const said = options.subjects[run.subject.name];
  const named = said === undefined ? undefined : namedTables(said);
  const kept = [];
  for (const rule of run.subject.rules) {
    if (rule.act !== 'keep') continue;
    const because = named?.get(label(rule.of))?.keep ?? '';
    kept.push({ place: run.placeOf(rule.of), rows: await rowsOf(run, rule).count(rule.of), because });
  }
  return { ...idOf(run), places: await placesOf(run), kept, caches: run.plan.caches.map(([name]) => name) };
}

function nothing(subject: Subject): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_NOTHING',
    subject: `erasure of a ${subject.name}`,
    what: 'no row of it is anywhere in this database or its archives; nothing was registered.',
    fix: 'Look whether the key is the one that rows carry.',
  });
}
