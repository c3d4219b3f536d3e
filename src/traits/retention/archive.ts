// A part of the archive grows old: into a file that is read back before its rows go, and out of the archive in the end.
import { label } from '../../define/model.ts';
import { qualified } from '../../sql.ts';
import { standingOf } from './catalogue.ts';
import { holdsUntilCommit, isHeld } from './holds.ts';
import { withoutLeftovers } from './refile.ts';
import { moveRows } from './rows.ts';
import { attach, close, detach, measured, move, reopen, type Run, stopping, unfiltered } from './run.ts';
import { archivedUntil, instantOf, onlineUntil } from './terms.ts';
import { asPiece, type State, type Unit } from './unit.ts';

/** The next step of a part in a state; undefined: it rests. */
type Step = (run: Run, unit: Unit) => Promise<Unit | undefined>;

const STEPS: Partial<Record<State, Step>> = {
  receiving: complete,
  archived: ageing,
  filing: write,
  written: verify,
  verified: leaveForFile,
  filed: expireFile,
  leaving: expire,
  removing: removeFile,
};

/**
 * Moves a part of the archive side on until it rests.
 * @returns it as it is then
 */
export async function age(run: Run, begun: Unit): Promise<Unit> {
  let unit = begun;
  if (await vanished(run, unit)) {
    run.told.lines.push(`${label(unit.table)} is not there any more: somebody else dropped it`);
    return move(run, unit, { to: { state: 'gone' } });
  }
  while (!stopping(run)) {
    const next = await STEPS[unit.state]?.(run, unit);
    if (next === undefined) return unit;
    unit = next;
  }
  return unit;
}

/** Whether somebody dropped a part of the archive by hand. Where a file is on its way, that is an error and stays one. */
async function vanished(run: Run, unit: Unit): Promise<boolean> {
  const archive = run.terms.archive?.of;
  if (archive === undefined || !['receiving', 'archived', 'leaving'].includes(unit.state)) return false;
  return (await standingOf(run.context.session.query, unit.table, archive)) === 'missing';
}

/** No row of a period comes any more by itself once the period is over; what comes late finds its place all the same. */
async function complete(run: Run, unit: Unit): Promise<Unit | undefined> {
  if (unit.to > onlineUntil(run.terms, run.context.now)) return undefined;
  const size = await measured(run, unit);
  return move(run, unit, { to: { state: 'archived', ...size } });
}

async function ageing(run: Run, unit: Unit): Promise<Unit | undefined> {
  if (run.terms.archive?.files !== undefined) return filing(run, unit);
  const until = archivedUntil(run.terms, run.context.now);
  if (until === null) return undefined;
  if (unit.to <= until) return leaving(run, unit);
  if (run.terms.byRow && (unit.from === null || unit.from < until)) {
    await moveRows(run, { from: unit.table, range: { from: unit.from, to: until }, online: false });
  }
  return undefined;
}

/** From here on nothing is written to it: what the file holds is all there is. An empty part needs no file. */
async function filing(run: Run, unit: Unit): Promise<Unit> {
  const closed = await unfiltered(run, async (query) => {
    await close(run, query, unit.table);
    const [row] = await query<{ rows: string }>(`SELECT count(*) AS rows FROM ${qualified(unit.table)}`);
    const rows = Number(row?.rows ?? 0);
    const next: Unit = { ...unit, state: rows === 0 ? 'leaving' : 'filing', rows, since: run.context.now };
    await run.context.pieces.put(query, asPiece(run.terms, next), unit.state);
    return next;
  });
  return closed;
}

async function write(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { terms, context } = run;
  const range = { column: terms.by, from: unit.from, to: unit.to };
  const piece = { of: terms.of, range, serial: unit.serial };
  const receipt = await terms.archive?.files?.write(context, piece, unit.table);
  if (receipt === undefined) return undefined;
  run.told.bytes += receipt.bytes;
  return move(run, unit, { to: { state: 'written', receipt } });
}

const NOT_WHOLE = new Set(['HF_ARCHIVE_MISSING', 'HF_ARCHIVE_DAMAGED', 'HF_ARCHIVE_DIFFERS']);

async function verify(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { files } = run.terms.archive ?? {};
  if (unit.receipt === undefined || files === undefined) return undefined;
  try {
    await files.verify(run.context, unit.receipt, unit.table);
  } catch (error) {
    // The rows are here still: what did not arrive whole goes, and the next run writes it anew.
    if (!NOT_WHOLE.has((error as { code?: string }).code ?? '')) throw error;
    await files.remove(unit.receipt);
    await move(run, unit, { to: { state: 'filing' } });
    throw error;
  }
  return move(run, unit, { to: { state: 'verified' } });
}

async function leaveForFile(run: Run, unit: Unit): Promise<Unit | undefined> {
  const archive = run.terms.archive?.of;
  if (archive === undefined) return undefined;
  await detach(run, unit.table, archive);
  if (stopping(run)) return undefined;
  return move(run, unit, {
    to: { state: 'filed' },
    effect: async (query) => {
      await query(`DROP TABLE ${qualified(unit.table)}`);
    },
  });
}

async function leaving(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { terms, context } = run;
  const next: Unit = { ...unit, state: 'leaving', since: context.now };
  const held = await unfiltered(run, async (query) => {
    const holds = await holdsUntilCommit(run, query);
    if (await isHeld(query, terms, { holds, unit })) return true;
    await context.pieces.put(query, asPiece(terms, next), unit.state);
    return false;
  });
  return held ? undefined : next;
}

/** Dropped once it is detached; where a hold was placed meanwhile it becomes a part of the archive again. */
async function expire(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { terms, context } = run;
  const archive = terms.archive?.of;
  if (archive === undefined) return undefined;
  await detach(run, unit.table, archive);
  if (stopping(run)) return undefined;
  const from = unit.from === null ? null : instantOf(terms, unit.from);
  const size = await measured(run, unit);
  const next = await unfiltered(run, async (query): Promise<Unit> => {
    await query(`LOCK TABLE ${qualified(unit.table)} IN ACCESS EXCLUSIVE MODE`);
    const holds = await holdsUntilCommit(run, query);
    const held = await isHeld(query, terms, { holds, unit });
    if (held) {
      await reopen(query, unit.table);
      await attach(query, unit.table, { parent: archive, from, to: instantOf(terms, unit.to) });
    } else {
      await query(`DROP TABLE ${qualified(unit.table)}`);
    }
    const state = held ? 'archived' : 'gone';
    const after: Unit = { ...unit, ...size, state, since: context.now };
    await context.pieces.put(query, asPiece(terms, after), unit.state);
    return after;
  });
  if (next.state === 'archived') return undefined;
  run.told.rows += size.rows;
  return next;
}

async function expireFile(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { terms, context } = run;
  const until = archivedUntil(terms, context.now);
  if (until === null || unit.to > until) return undefined;
  const next: Unit = { ...unit, state: 'removing', since: context.now };
  const held = await unfiltered(run, async (query) => {
    const holds = await holdsUntilCommit(run, query);
    if (await isHeld(query, terms, { holds, unit, inFile: true })) return true;
    await context.pieces.put(query, asPiece(terms, next), unit.state);
    return false;
  });
  return held ? undefined : next;
}

async function removeFile(run: Run, unit: Unit): Promise<Unit | undefined> {
  const { receipt } = await withoutLeftovers(run, unit);
  if (receipt !== undefined) await run.terms.archive?.files?.remove(receipt);
  run.told.rows += unit.rows ?? 0;
  return move(run, unit, { to: { state: 'gone' } });
}
