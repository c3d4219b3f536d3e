// What has left the tables: jobs are run until rows lie in archives, and what lies in files is read.
import { label, type Residence, type RelationName, type RowText, type Sum } from '../../define/index.ts';
import { runJob, withTask } from '../../keep/index.ts';
import { clockAt, type Ground } from './ground.ts';

/** The rows that the files of one table's archive hold. */
export interface ArchivedRows {
  readonly of: RelationName;
  /** As a report names it. */
  readonly place: string;
  readonly rows: readonly RowText[];
}

/** What came of it. */
export interface Lived {
  /** The instant that everything after works at. */
  readonly now: Date;
  /** Tables whose rows were archived. */
  readonly archived: readonly string[];
  /** What could not be had, and why. */
  readonly notes: readonly string[];
}

const STEP_MS = 10 * 86_400_000;
const MOST_STEPS = 400;

/** Brings figures up to date, and the planner's statistics. @returns what failed */
export async function settleFigures(ground: Ground, now: Date): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const job of new Set(promisesOf(ground, (made) => made.sums).map((one) => one.job)))
    notes.push(...(await run(ground, job, now)));
  await ground.query('ANALYZE');
  return notes;
}

/** Whether rows of a table can be archived. */
export function hasArchives(ground: Pick<Ground, 'definition'>): boolean {
  return promisesOf(ground, (made) => made.residences).some((one) => one.archive !== undefined);
}

/** Lets time go by: rows leave for their archives, as far as that can be had without the first archives being emptied again. */
export async function live(ground: Ground): Promise<Lived> {
  const notes: string[] = [];
  let { now } = ground;
  const leaving = promisesOf(ground, (made) => made.residences)
    .filter((one) => one.archive !== undefined)
    .flatMap((one) => {
      const at = leavesAt(one, ground.now);
      return at === undefined ? [] : [{ ...one, at }];
    })
    .toSorted((a, b) => a.at.getTime() - b.at.getTime());
  const archived: string[] = [];
  for (const one of leaving) {
    const emptied = leaving.find(
      (other) =>
        archived.includes(label(other.of)) && (other.archive?.clearsBefore(one.at) ?? 0) > ground.now,
    );
    if (emptied !== undefined) {
      notes.push(
        `nothing was archived of ${label(one.of)}: by then ${label(emptied.of)} would have left its archive`,
      );
      continue;
    }
    now = one.at;
    const failed = await run(ground, one.job, now);
    notes.push(...failed);
    if (failed.length === 0) archived.push(label(one.of));
  }
  notes.push(...(await settleFigures(ground, now)));
  return { now, archived, notes };
}

/** What every promise says of something, with the trait that says it. */
function promisesOf<T extends Residence | Sum>(
  { definition }: Pick<Ground, 'definition'>,
  which: (made: {
    readonly residences?: readonly Residence[];
    readonly sums?: readonly Sum[];
  }) => readonly T[] | undefined,
): readonly (T & { readonly trait: string })[] {
  return definition.traits.flatMap((trait) => {
    const made = trait.promises?.(definition.model);
    return made === undefined ? [] : (which(made) ?? []).map((one) => ({ ...one, trait: trait.name }));
  });
}

/** The first instant at which rows of today have left their table. */
function leavesAt({ online }: Residence, today: Date): Date | undefined {
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const at = new Date(today.getTime() + step * STEP_MS);
    const before = online.clearsBefore(at);
    if (before === null) return undefined;
    if (before > today) return at;
  }
  return undefined;
}

async function run({ definition, url }: Ground, job: string, now: Date): Promise<readonly string[]> {
  const report = await runJob(definition, url, job, { clock: clockAt(now) });
  return report.state === 'done' ? [] : [`job ${job} ${report.state}: ${report.error ?? ''}`];
}

/** Reads what the files of every archive hold. */
export async function archivedRows(ground: Ground, now: Date): Promise<readonly ArchivedRows[]> {
  const { definition, url, query } = ground;
  const found: ArchivedRows[] = [];
  for (const { of, archive, trait } of promisesOf(ground, (made) => made.residences)) {
    if (archive === undefined) continue;
    const options = { trait, leading: false, clock: clockAt(now) };
    const pieces = await withTask(definition, url, options, (context) => context.pieces.list());
    const rows: RowText[] = [];
    for (const part of await archive.parts({ model: definition.model, query, now, pieces })) {
      if (!('read' in part.rows)) continue;
      for await (const row of part.rows.read()) rows.push(row);
    }
    if (rows.length > 0) found.push({ of, place: `archive files of ${label(of)}`, rows });
  }
  return found;
}
