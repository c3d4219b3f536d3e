// What has left a table and can still be read: where each part lies, until when, and the way back.
import type { Piece, TaskContext } from '../../define/job.ts';
import { label, type Model, type RelationName } from '../../define/model.ts';
import type { Trait } from '../../define/trait.ts';
import { piecePath } from './files/place.ts';
import { holdsAmong } from './holds.ts';
import type { ArchiveFiles, ArchiveReceipt } from './port.ts';
import { putBack, type PutBack } from './put-back.ts';
import { restored, type Restored } from './restored.ts';
import { before, type Length } from './duration.ts';
import { type Asked, type Terms, termsOf } from './terms.ts';
import { type State, timeOf, type Unit, unitsOf } from './unit.ts';

/** One part of an archive that can be read. */
export interface ShelvedPart {
  readonly key: string;
  readonly state: State;
  readonly from: Date | null;
  readonly to: Date;
  readonly rows?: number;
  readonly bytes?: number;
  /** When it goes for good; null: never, or not as long as it is held. */
  readonly until: Date | null;
  readonly held: boolean;
  /** Where its rows are read: a table of the archive's schema, or files. */
  readonly place: { readonly table: RelationName } | { readonly receipt: ArchiveReceipt };
  /** When what is there was last compared with what had been in the table; files only. */
  readonly verifiedAt?: Date;
}

/** What a command line asks back. */
export interface RestoreRequest {
  /** The half-open range of time. */
  readonly from: Date;
  readonly to: Date;
}

/** The archive of one table. */
export interface Shelf {
  readonly of: RelationName;
  /** The column that says how old a row is. */
  readonly by: string;
  readonly files?: ArchiveFiles;
  /** The parts that can be read, oldest first. Rows on their way out of the table are read there. */
  readonly parts: (pieces: readonly Piece[]) => readonly ShelvedPart[];
  /**
   * Pieces in the store that the ledger does not know: of another database with the same definition, or from a time that
   * a restored backup of this one does not remember. Nothing removes them.
   */
  readonly strangers: (pieces: readonly Piece[]) => Promise<readonly ShelvedPart[]>;
  /**
   * Copies the rows of a range into a table of its own, in one transaction, compared with what was archived.
   * @throws HoldfastError HF_ARCHIVE_NOTHING, HF_ARCHIVE_TARGET and what reading a piece throws; the table is not made then
   */
  readonly restore: (
    context: TaskContext,
    request: RestoreRequest & { readonly into: RelationName },
  ) => Promise<Restored>;
  /**
   * Puts every part that meets a range back into the table and holds that range, so that no run takes it again until the
   * hold is released. Each part is in the archive or in the table, never in both; a second call goes on.
   * The context must lead.
   * @throws HoldfastError HF_ARCHIVE_NOTHING, HF_ARCHIVE_CONFLICT and what reading a piece throws
   */
  readonly putBack: (context: TaskContext, request: RestoreRequest) => Promise<PutBack>;
}

/** A retention as `retention(…)` gives it: commands find its archive by this. */
export interface ShelvingTrait extends Trait {
  /** Undefined where rows that leave are deleted. */
  readonly shelf: (model: Model) => Shelf | undefined;
}

/** The archives of a definition's traits. */
export function shelvesOf(definition: {
  readonly traits: readonly Trait[];
  readonly model: Model;
}): readonly Shelf[] {
  return definition.traits.flatMap(
    (trait) => (trait as Partial<ShelvingTrait>).shelf?.(definition.model) ?? [],
  );
}

/** The archive of one retention. */
export function shelfOf(model: Model, asked: Asked): Shelf | undefined {
  const terms = termsOf(model, asked);
  if (terms?.archive === undefined) return undefined;
  const { files } = terms.archive;
  return {
    of: terms.of,
    by: terms.by,
    ...(files !== undefined && { files }),
    parts: (pieces) => partsOf(terms, pieces),
    strangers: async (pieces) => strangersOf(model, terms, pieces),
    restore: async (context, { from, to, into }) =>
      restored(context, terms, {
        into,
        range: { from, to },
        parts: await reached(context, terms, { from, to }),
      }),
    putBack: async (context, range) =>
      putBack(context, terms, { range, units: await unitsIn(context, terms, range) }),
  };
}

const IN_TABLE: ReadonlySet<State> = new Set<State>([
  'receiving',
  'archived',
  'filing',
  'written',
  'verified',
]);

function partsOf(terms: Terms, pieces: readonly Piece[]): readonly ShelvedPart[] {
  const holds = holdsAmong(terms, pieces);
  return unitsOf(terms, pieces).flatMap((unit) => {
    const held = holds.some(
      (hold) =>
        timeOf(hold.from) < unit.to.getTime() && (hold.to === null || hold.to.getTime() > timeOf(unit.from)),
    );
    const part = partOf(terms, unit, held);
    return part === undefined ? [] : [part];
  });
}

function partOf(terms: Terms, unit: Unit, held: boolean): ShelvedPart | undefined {
  const { key, state, from, to, rows, receipt } = unit;
  const filed = state === 'filed' && receipt !== undefined;
  if (!filed && !IN_TABLE.has(state)) return undefined;
  const bytes = filed ? receipt.bytes : unit.bytes;
  return {
    key,
    state,
    from,
    to,
    held,
    until: held ? null : endOf(terms, unit),
    place: filed ? { receipt } : { table: unit.table },
    ...(rows !== undefined && { rows }),
    ...(bytes !== undefined && { bytes }),
    ...(filed && { verifiedAt: unit.since }),
  };
}

async function strangersOf(
  model: Model,
  terms: Terms,
  pieces: readonly Piece[],
): Promise<readonly ShelvedPart[]> {
  const known = new Set(
    unitsOf(terms, pieces).flatMap((unit) => {
      if (unit.state === 'gone') return [];
      const { from, to, serial } = unit;
      return piecePath(model.name, { of: terms.of, range: { column: terms.by, from, to }, serial });
    }),
  );
  const found = (await terms.archive?.files?.list(model.name)) ?? [];
  return found
    .filter(({ path, manifest }) => label(manifest.relation) === label(terms.of) && !known.has(path))
    .map(({ path, manifest, receipt }) => ({
      key: path,
      state: 'filed',
      from: manifest.range.from === null ? null : new Date(manifest.range.from),
      to: new Date(manifest.range.to),
      rows: manifest.rows,
      bytes: receipt.bytes,
      until: null,
      held: false,
      place: { receipt },
    }));
}

/** The day a part's newest row has been online and archived long enough. */
function endOf(terms: Terms, unit: Unit): Date | null {
  const { archive, online } = terms;
  return archive?.stays === undefined ? null : later(later(unit.to, archive.stays), online);
}

function later(instant: Date, length: Length): Date {
  return before(instant, { ...length, count: -length.count });
}

async function unitsIn(
  context: TaskContext,
  terms: Terms,
  { from, to }: RestoreRequest,
): Promise<readonly Unit[]> {
  return unitsOf(terms, await context.pieces.list()).filter(
    (unit) => timeOf(unit.from) < to.getTime() && unit.to > from,
  );
}

async function reached(
  context: TaskContext,
  terms: Terms,
  range: RestoreRequest,
): Promise<readonly ShelvedPart[]> {
  const units = await unitsIn(context, terms, range);
  return units.flatMap((unit) => partOf(terms, unit, false) ?? []);
}
