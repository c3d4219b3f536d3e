// An archive of files in one store: what the retention's state machine calls.
import type { ArchiveFiles, ListedPiece } from '../port.ts';
import { readManifest } from './manifest.ts';
import { definitionPath, MANIFEST } from './place.ts';
import { folderStore } from './folder-store.ts';
import { type S3Options, s3Store } from './s3-store.ts';
import type { Store } from './store.ts';
import { verifyPiece } from './verify.ts';
import { writePiece } from './write.ts';

/**
 * An archive of Parquet files in a folder of this machine, or a mounted one. The keeper and whoever runs
 * `holdfast archive` must see the same folder; files are readable by their owner alone.
 * @param path absolute, or relative to the working directory
 * @example folder('/var/lib/shop/archive')
 */
export function folder(path: string): ArchiveFiles {
  return archiveFiles(folderStore(path));
}

/**
 * An archive of Parquet files in an S3-compatible bucket. Needs the package s3mini; credentials come from the
 * environment only.
 * @throws HoldfastError HF_ARCHIVE_STORE when the address is none or carries credentials
 * @example s3({ bucket: 'https://s3.eu-central-1.amazonaws.com/shop-archive', region: 'eu-central-1' })
 */
export function s3(options: S3Options): ArchiveFiles {
  return archiveFiles(s3Store(options));
}

/** An archive of Parquet files in any store. */
export function archiveFiles(store: Store): ArchiveFiles {
  return {
    shown: store.shown,
    store,
    write: async (context, piece, source) => writePiece(context, { store, piece, source }),
    verify: async (context, receipt, source) => verifyPiece(context, store, { receipt, source }),
    list: async (definition) => listPieces(store, definition),
    remove: async ({ path }) => {
      const files = await store.list(path);
      for (const file of files.filter((one) => !one.endsWith(`/${MANIFEST}`))) await store.remove(file);
      await store.remove(`${path}/${MANIFEST}`);
      await store.tidy(path);
    },
  };
}

async function listPieces(store: Store, definition: string): Promise<readonly ListedPiece[]> {
  const files = await store.list(definitionPath(definition));
  const found: ListedPiece[] = [];
  for (const file of files.filter((one) => one.endsWith(`/${MANIFEST}`))) {
    const path = file.slice(0, -MANIFEST.length - 1);
    const piece = await readManifest(store, path);
    if (piece !== undefined) found.push({ path, ...piece });
  }
  return found.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

function key({ manifest: { relation, range, serial } }: ListedPiece): string {
  return [relation.schema, relation.name, range.from ?? '', range.to, serial].join('\0');
}
