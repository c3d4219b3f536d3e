// Puts decided corrections into the rows of the file they were made for: how an export follows what people
// accepted and reverted, without keeping the rows anywhere.

import type { CatalogueRow, Column } from './row.ts';

/** A correction to put in. Those of one record must come in the order in which the rules made them. */
export interface Patch {
  readonly recordNumber: number;
  readonly field: string;
  readonly originalValue: string;
  readonly correctedValue: string;
}

/** A row and what could not be put into it. */
export interface PatchedRow {
  readonly row: CatalogueRow;
  /** Patches whose original value the cell no longer holds, or whose field has no column. */
  readonly skipped: readonly Patch[];
}

/**
 * Merges corrections into rows, reading both once.
 *
 * A patch is put in only where the cell holds its original value at that moment: when the first of two chained
 * corrections was reverted, the second has nothing to stand on and is skipped, never forced.
 * @param patches in ascending record number; those of records that never come are left unread.
 */
export async function* patchRows(
  columns: readonly Column[],
  rows: AsyncIterable<CatalogueRow>,
  patches: AsyncIterable<Patch> | Iterable<Patch>,
): AsyncGenerator<PatchedRow, void, undefined> {
  const positions = new Map(columns.map((column) => [column.field, column.index]));
  const reader = patchReader(patches);
  try {
    for await (const row of rows) {
      const own = await reader.take(row.recordNumber);
      yield own.length === 0 ? { row, skipped: [] } : patchRow(row, own, positions);
    }
  } finally {
    await reader.close();
  }
}

function patchRow(
  row: CatalogueRow,
  patches: readonly Patch[],
  positions: ReadonlyMap<string, number>,
): PatchedRow {
  const cells = [...row.cells];
  const skipped: Patch[] = [];
  for (const patch of patches) {
    const position = positions.get(patch.field);
    if (position === undefined || cells[position] !== patch.originalValue) skipped.push(patch);
    else cells[position] = patch.correctedValue;
  }
  return { row: { ...row, cells }, skipped };
}

interface PatchReader {
  /** The patches of that record; those of earlier ones are passed over. */
  readonly take: (recordNumber: number) => Promise<readonly Patch[]>;
  readonly close: () => Promise<void>;
}

function patchReader(patches: AsyncIterable<Patch> | Iterable<Patch>): PatchReader {
  const iterator =
    Symbol.asyncIterator in patches ? patches[Symbol.asyncIterator]() : patches[Symbol.iterator]();
  const read = async (): Promise<Patch | null> => {
    const item = await iterator.next();
    return item.done === true ? null : item.value;
  };
  let next: Patch | null | undefined;
  const take = async (recordNumber: number): Promise<readonly Patch[]> => {
    const own: Patch[] = [];
    next = next === undefined ? await read() : next;
    while (next !== null && next.recordNumber <= recordNumber) {
      if (next.recordNumber === recordNumber) own.push(next);
      next = await read();
    }
    return own;
  };
  return {
    take,
    close: async () => {
      await iterator.return?.();
    },
  };
}
