// What happens over time: rows that are old enough leave, the archive grows old, and what was deleted is vacuumed.
import type { Done, JobSettings, Kept, TaskContext } from '../../define/job.ts';
import { label, type Model, type RelationName } from '../../define/model.ts';
import { qualified } from '../../sql.ts';
import { gaps, shift, startOf } from '../partitions/period.ts';
import { age } from './archive.ts';
import { type Attached, attachedTo, pointingAt } from './catalogue.ts';
import { holdsNow, isHeld } from './holds.ts';
import { begin, isLeaving, leave } from './leave.ts';
import { receive } from './receive.ts';
import { countPointedAt, type Leaving, moveRows, oldestRow, staying } from './rows.ts';
import { attempt, closeRun, count, openRun, type Run, stopping, unfiltered, unitsNow } from './run.ts';
import { type Asked, onlineUntil, type Terms, termsOf } from './terms.ts';
import { RESTING, type State, subjectOf, TALLY, tallyOf, timeOf, type Unit } from './unit.ts';

const VACUUM = 'vacuum';
/** States of a part of the archive that takes no row any more and still has its table. */
const SHUT: ReadonlySet<State> = new Set<State>(['filing', 'written', 'verified', 'leaving']);

/** The jobs of one retention, and its tasks. */
export function kept(model: Model, asked: Asked): Kept {
  const terms = termsOf(model, asked);
  if (terms === undefined) return { jobs: {}, tasks: [] };
  const jobs: Record<string, JobSettings> = {
    [terms.job]: { schedule: { cron: '0 1 * * *' }, timeoutMs: 6 * 3_600_000 },
  };
  const own = { trait: 'retention', subject: subjectOf(terms.of) };
  const tasks = [{ ...own, job: terms.job, run: (context: TaskContext) => keepTerms(context, terms) }];
  if (terms.partitioned) return { jobs, tasks };
  // Declared by itself when the retention runs under a job of the user's: the two stay in order.
  jobs[VACUUM] = { schedule: { cron: '30 1 * * *' }, after: [terms.job] };
  return {
    jobs,
    tasks: [...tasks, { ...own, job: VACUUM, run: (context) => vacuum(context, terms) }],
  };
}

/**
 * One run: what is on its way goes on first, then what is due begins, then the archive grows old. Safe to kill at any
 * statement: each state commits with its effect, and what PostgreSQL cannot do in a transaction is found in the catalogue.
 * @throws HoldfastError HF_RETENTION_STUCK when parts could not be moved on
 */
export async function keepTerms(context: TaskContext, terms: Terms): Promise<Done> {
  const run = openRun(context, terms);
  for (const unit of await unitsNow(run))
    if (!RESTING.has(unit.state)) await attempt(run, () => advance(run, unit), unit.key);
  if (terms.partitioned) await partitionsLeave(run);
  else await attempt(run, () => rowsLeave(run));
  for (const unit of await unitsNow(run)) await attempt(run, () => advance(run, unit), unit.key);
  return closeRun(run);
}

async function advance(run: Run, unit: Unit): Promise<void> {
  if (stopping(run)) return;
  const next = isLeaving(unit) ? await leave(run, unit) : unit;
  if (!isLeaving(next)) await age(run, next);
}

/** Moves a part on until it rests or something is in the way, which is thrown. */
export async function finishUnit(run: Run, unit: Unit): Promise<void> {
  await advance(run, unit);
  const [failure] = run.told.failures;
  if (failure !== undefined) throw failure;
}

async function partitionsLeave(run: Run): Promise<void> {
  const { terms, context } = run;
  const until = onlineUntil(terms, context.now);
  const partitions = await attachedTo(context.session.query, terms.of, terms.type);
  for (const partition of partitions) {
    if (stopping(run)) return;
    if (partition.isDefault || partition.fromMs >= until.getTime() || Number.isNaN(partition.toMs)) continue;
    if (partition.toMs <= until.getTime()) await attempt(run, () => partitionLeaves(run, partition));
    else if (terms.byRow) await attempt(run, () => rowsOfPartition(run, partition));
  }
}

/** A partition that is old enough as a whole. To the day, what a hold leaves behind does not keep the rest. */
async function partitionLeaves(run: Run, partition: Attached): Promise<void> {
  const { terms } = run;
  const unit = asUnit(partition);
  const holds = await holdsNow(run);
  const held = await unfiltered(run, (query) => isHeld(query, terms, { holds, unit }));
  if (held && !terms.byRow) {
    run.told.lines.push(`${label(partition)} stays: it is held`);
    return;
  }
  if (terms.byRow && (held || (await begunByRow(run, partition)))) {
    await rowsOfPartition(run, partition);
    if (await holdsRows(run, partition)) return;
  }
  const begun = await begin(run, partition);
  if (begun !== undefined) await attempt(run, () => advance(run, begun), begun.key);
}

function asUnit(partition: Attached): Pick<Unit, 'from' | 'to' | 'table'> {
  return {
    from: Number.isFinite(partition.fromMs) ? new Date(partition.fromMs) : null,
    to: new Date(partition.toMs),
    table: { schema: partition.schema, name: partition.name },
  };
}

/** Whether rows of it have left one by one before, so that the archive has a place for its range. */
async function begunByRow(run: Run, partition: Attached): Promise<boolean> {
  const archive = run.terms.archive?.of;
  if (archive === undefined) return false;
  const there = await attachedTo(run.context.session.query, archive, run.terms.type);
  return gaps([partition], there).length === 0;
}

async function holdsRows(run: Run, partition: Attached): Promise<boolean> {
  return unfiltered(run, async (query) => {
    const [row] = await query<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM ${qualified(partition)}) AS found`,
    );
    return row?.found === true;
  });
}

async function rowsOfPartition(run: Run, partition: Attached): Promise<void> {
  const { terms, context } = run;
  const unit = asUnit(partition);
  const until = onlineUntil(terms, context.now);
  const range = { from: unit.from, to: new Date(Math.min(until.getTime(), partition.toMs)) };
  const archive = terms.archive?.of;
  const leaving: Leaving = {
    from: unit.table,
    range,
    online: false,
    except: await shutRanges(run),
    ...(archive !== undefined && { into: archive }),
  };
  const oldest = await oldestRow(run, leaving);
  if (oldest === null) return;
  await context.beforeLeaving(terms.of, { column: terms.by, ...range });
  if (archive !== undefined) await receive(run, archive, { from: unit.from ?? oldest, to: unit.to });
  await moveRows(run, leaving);
}

/** Rows of a plain table: period by period, each into its own part of the archive. */
async function rowsLeave(run: Run): Promise<void> {
  const { terms, context } = run;
  const archive = terms.archive?.of;
  const leaving: Leaving = {
    from: terms.of,
    range: { from: null, to: onlineUntil(terms, context.now) },
    online: true,
    except: await shutRanges(run),
    ...(archive !== undefined && { into: archive }),
  };
  // A row that points at another of its table goes before it: the other may go in the next round.
  const chained = (await pointingAt(context.session.query, terms.of)).some((key) => key.own);
  for (let round = 1; !stopping(run); round += 1) {
    const oldest = await oldestRow(run, leaving);
    if (oldest === null) break;
    if (round === 1) await context.beforeLeaving(terms.of, { column: terms.by, ...leaving.range });
    const moved =
      archive === undefined
        ? await moveRows(run, leaving)
        : await periodByPeriod(run, { leaving, archive, oldest });
    if (!chained || moved === 0) break;
  }
  await tellPointedAt(run, leaving);
}

/** Rows that stay because others point at them are counted, so that they are seen before somebody misses them. */
async function tellPointedAt(run: Run, leaving: Leaving): Promise<void> {
  const { context, terms } = run;
  const referenced = await countPointedAt(run, leaving);
  if (referenced > 0)
    run.told.lines.push(`${staying(referenced)}: other rows point at ${referenced === 1 ? 'it' : 'them'}`);
  const before = tallyOf(terms, await context.pieces.list(subjectOf(terms.of))).referenced;
  if (referenced !== before) await context.session.transaction((query) => count(run, query, { referenced }));
}

async function periodByPeriod(
  run: Run,
  by: { readonly leaving: Leaving; readonly archive: RelationName; readonly oldest: Date },
): Promise<number> {
  const { every } = run.terms;
  const { range } = by.leaving;
  let moved = 0;
  for (let oldest: Date | null = by.oldest; oldest !== null && !stopping(run);) {
    const start = startOf(every, oldest.getTime());
    const [from, to] = [new Date(start), new Date(shift(every, start, 1))];
    await receive(run, by.archive, { from, to });
    const end = to < range.to ? to : range.to;
    moved += await moveRows(run, { ...by.leaving, range: { from, to: end } });
    oldest = await oldestRow(run, { ...by.leaving, range: { from: end, to: range.to } });
  }
  return moved;
}

async function shutRanges(run: Run): Promise<readonly Pick<Unit, 'from' | 'to'>[]> {
  return (await unitsNow(run))
    .filter((unit) => SHUT.has(unit.state))
    .sort((left, right) => timeOf(left.from) - timeOf(right.from));
}

/**
 * VACUUM of a table that rows were deleted from one by one. It is a top-level statement: PostgreSQL refuses it in a
 * transaction or function. Cut off, it is owed still.
 */
async function vacuum(context: TaskContext, terms: Terms): Promise<Done> {
  const subject = subjectOf(terms.of);
  const owed = tallyOf(terms, await context.pieces.list(subject)).unvacuumed;
  if (owed === 0) return {};
  await context.session.query(`VACUUM (ANALYZE) ${qualified(terms.of)}`);
  await context.session.transaction(async (query) => {
    const so = tallyOf(terms, await context.pieces.list(subject, query));
    const detail = { ...so, unvacuumed: Math.max(0, so.unvacuumed - owed) };
    await context.pieces.put(query, { subject, piece: TALLY, state: 'counting', detail });
  });
  return { rows: owed, what: `vacuumed after ${owed} rows` };
}
