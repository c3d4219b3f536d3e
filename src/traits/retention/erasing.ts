// Retention's part in an erasure: what has left the table, in the archive's tables and files, and what a hold keeps.
import type { ErasedPlace, ErasurePart, SubjectRow, SubjectRows } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { label, type Model, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { columnsOf, exactly } from './files/source.ts';
import { type Hold, heldRows, holdsUntilCommit, PUT_BACK } from './holds.ts';
import { finishUnit } from './keep.ts';
import { filedTexts, refile } from './refile.ts';
import { measured, move, openRun, type Run, unitsNow } from './run.ts';
import { type Asked, type Terms, termsOf } from './terms.ts';
import { RESTING, timeOf, type Unit } from './unit.ts';

/** The part of one retention. */
export function erasingPart(model: Model, asked: Asked): ErasurePart {
  const terms = termsOf(model, asked);
  if (terms === undefined) return {};
  const own = (rows: SubjectRows): boolean => label(rows.of) === label(terms.of);
  const on = (context: TaskContext): Run => openRun(context, terms);
  return {
    mayGo: async (context, query, rows) => {
      if (own(rows)) await unlessHeld(on(context), query, rows);
    },
    counts: async (context, rows) => (own(rows) ? counted(on(context), rows) : []),
    copies: async (context, rows, take) => {
      if (own(rows)) await copies(on(context), rows, take);
    },
    erase: async (context, rows) => (own(rows) ? erased(on(context), rows) : 0),
  };
}

/**
 * Refuses rows under a hold, wherever they lie; no hold is placed on them before the caller's transaction ends. A hold on a
 * tenant keeps that tenant from being erased even where it has no row in the table. Files that a hold's range meets are
 * looked at when they are written anew.
 */
async function unlessHeld(run: Run, query: CatalogueQuery, rows: SubjectRows): Promise<void> {
  const { terms } = run;
  const held = await casesUntilCommit(run, query);
  for (const hold of held) {
    const whole =
      hold.tenant !== null && terms.tenant !== undefined && rows.theirs({ [terms.tenant]: hold.tenant });
    if (whole) throw isHeldBack(rows, hold);
    for (const relation of relationsOf(terms)) {
      const condition = heldRows([hold], { terms, values: rows.values });
      const [row] = await query<{ found: boolean }>(
        `SELECT EXISTS (SELECT FROM ${qualified(relation)} AS t WHERE ${rows.where} AND ${condition.sql}) AS found`,
        condition.values,
      );
      if (row?.found === true) throw isHeldBack(rows, hold);
    }
  }
}

/** Holds of a case: a range that was put back is held for no other reason than that it stays online. */
async function casesUntilCommit(run: Run, query: CatalogueQuery): Promise<readonly Hold[]> {
  return (await holdsUntilCommit(run, query)).filter((hold) => hold.why !== PUT_BACK);
}

function relationsOf(terms: Terms): readonly RelationName[] {
  return terms.archive === undefined ? [terms.of] : [terms.of, terms.archive.of];
}

function isHeldBack(rows: SubjectRows, hold: Hold): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_HELD',
    subject: `erasure of a ${rows.subject}`,
    what: `its rows of ${label(rows.of)} are under the legal hold '${hold.id}'.`,
    fix: `Erase it once the hold has ended: holdfast archive release '${hold.id}'.`,
  });
}

async function filedUnits(run: Run): Promise<readonly Unit[]> {
  return (await unitsNow(run)).filter((unit) => unit.state === 'filed' && unit.receipt !== undefined);
}

async function counted(run: Run, rows: SubjectRows): Promise<readonly ErasedPlace[]> {
  const archive = run.terms.archive?.of;
  const places: ErasedPlace[] = [];
  if (archive !== undefined)
    places.push({ place: `archive table ${label(archive)}`, rows: await rows.count(archive) });
  let [found, files] = [0, 0];
  for (const unit of await filedUnits(run)) {
    let here = 0;
    if (unit.receipt === undefined) continue;
    for await (const row of filedTexts(run, unit.receipt)) {
      if (!rows.theirs(row)) continue;
      const becomes = rows.change(row);
      if (becomes === null || becomes.size > 0) here += 1;
    }
    found += here;
    files += here > 0 ? 1 : 0;
  }
  if (found > 0) places.push({ place: `archive files of ${label(rows.of)}`, rows: found, files });
  return places;
}

const FETCH = 1_000;

type Take = (row: SubjectRow) => Promise<void>;

/** The subject's rows outside the table, for whoever hands them out. */
async function copies(run: Run, rows: SubjectRows, take: Take): Promise<void> {
  const archive = run.terms.archive?.of;
  if (archive !== undefined) await copiesIn(run, { archive, rows }, take);
  for (const unit of await filedUnits(run)) {
    if (unit.receipt === undefined) continue;
    for await (const row of filedTexts(run, unit.receipt))
      if (rows.theirs(row)) await take({ place: `archive files of ${label(rows.of)}`, row });
  }
}

async function copiesIn(
  { context }: Run,
  of: { readonly archive: RelationName; readonly rows: SubjectRows },
  take: Take,
): Promise<void> {
  const { archive, rows } = of;
  const columns = await columnsOf(context, archive);
  const list = columns.map(({ name }) => `t.${ident(name)}::pg_catalog.text AS ${ident(name)}`).join(', ');
  await exactly(context, async (query) => {
    await query(
      `DECLARE holdfast_archived NO SCROLL CURSOR FOR SELECT ${list} FROM ${qualified(archive)} AS t WHERE ${rows.where}`,
      rows.values,
    );
    for (;;) {
      const some = await query<Record<string, string | null>>(`FETCH ${FETCH} FROM holdfast_archived`);
      for (const row of some) await take({ place: `archive table ${label(archive)}`, row });
      if (some.length < FETCH) return;
    }
  });
}

async function erased(run: Run, rows: SubjectRows): Promise<number> {
  await atRest(run, rows);
  const archive = run.terms.archive?.of;
  let total = 0;
  if (archive !== undefined) {
    const gone = await rows.sweep(archive);
    if (gone > 0) await measuredAnew(run);
    total += gone;
  }
  for (const unit of await filedUnits(run)) {
    if (unit.receipt === undefined || rows.seen.has(unit.receipt.manifest)) continue;
    total += await refile(run, {
      unit,
      receipt: unit.receipt,
      rows,
      mayGo: async (query, whose) => {
        await unlessHeld(run, query, rows);
        const hold = (await casesUntilCommit(run, query)).find((one) => keepsFiled(one, unit, whose));
        if (hold !== undefined) throw isHeldBack(rows, hold);
      },
    });
    const now = (await unitsNow(run)).find((one) => one.key === unit.key);
    if (now?.receipt !== undefined) rows.seen.add(now.receipt.manifest);
  }
  return total;
}

/** Whether a hold keeps rows of these tenants in a part's file: it meets the file's range and names no other tenant. */
function keepsFiled(hold: Hold, unit: Unit, whose: ReadonlySet<string | null>): boolean {
  if (timeOf(hold.from) >= unit.to.getTime()) return false;
  if (hold.to !== null && hold.to.getTime() <= timeOf(unit.from)) return false;
  return hold.tenant === null || whose.has(hold.tenant) || whose.has(null);
}

/** A part between two places is brought to where it goes first: its rows are in one place then. */
async function atRest(run: Run, rows: SubjectRows): Promise<void> {
  for (const unit of await unitsNow(run)) if (!RESTING.has(unit.state)) await finishUnit(run, unit);
  const open = (await unitsNow(run)).find((unit) => !RESTING.has(unit.state));
  if (open === undefined) return;
  throw new HoldfastError({
    code: 'HF_ARCHIVE_BUSY',
    subject: `table ${label(rows.of)}`,
    what: `its part of ${open.key} is between two places (${open.state}).`,
    fix: 'Let the retention job finish it (holdfast run retention); the erasure goes on then.',
  });
}

/** What the ledger says a part holds is what it holds. */
async function measuredAnew(run: Run): Promise<void> {
  for (const unit of await unitsNow(run)) {
    if (unit.state !== 'archived') continue;
    const size = await measured(run, unit);
    if (size.rows !== unit.rows) await move(run, unit, { to: { state: 'archived', ...size } });
  }
}
