// The rows of an archived piece as anyone would read them back: what a replay holds against its books.
import { HoldfastError } from '../../../error.ts';
import type { ArchiveFiles, ArchiveReceipt } from '../port.ts';
import { toSql } from './stored.ts';
import { manifestOf, rowsOfPiece } from './verify.ts';

/**
 * The rows of a piece, values as text that PostgreSQL reads as the column's type.
 * @throws HoldfastError HF_ARCHIVE_MISSING, HF_ARCHIVE_DAMAGED as reading a piece does
 */
export async function* filedRows(
  { store }: Pick<ArchiveFiles, 'store'>,
  receipt: ArchiveReceipt,
): AsyncGenerator<Readonly<Record<string, string | null>>> {
  const manifest = await manifestOf(store, receipt);
  const { signal } = new AbortController();
  let rows = 0;
  for await (const columns of rowsOfPiece(store, { path: receipt.path, manifest, signal })) {
    const count = columns[0]?.length ?? 0;
    rows += count;
    for (let at = 0; at < count; at += 1) {
      yield Object.fromEntries(
        manifest.columns.map((column, number) => {
          const value = columns[number]?.[at] ?? null;
          return [column.name, value === null ? null : toSql(column, value)];
        }),
      );
    }
  }
  if (rows !== receipt.rows) {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_DIFFERS',
      subject: `archive ${store.shown}/${receipt.path}`,
      what: `its files hold ${rows} rows, the ledger says ${receipt.rows}.`,
      fix: 'Bring the piece back from a copy of the store.',
    });
  }
}
