// The manifest of a piece: its bytes, and reading them with suspicion, for anyone may have touched a store.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { HoldfastError } from '../../../error.ts';
import type { ArchiveReceipt, Manifest } from '../port.ts';
import { MANIFEST } from './place.ts';
import type { Store } from './store.ts';

/** A manifest as it lies in a store, and what tells it from any other. */
export interface FoundManifest {
  readonly manifest: Manifest;
  readonly receipt: ArchiveReceipt;
}

/** Stores a manifest; the piece is complete from then on. Errors as the store's `put`. */
export async function writeManifest(store: Store, path: string, manifest: Manifest): Promise<ArchiveReceipt> {
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`, 'utf8');
  const draft = await store.draft(`${path}/${MANIFEST}`);
  try {
    await writeFile(draft.file, bytes, { mode: 0o600, flag: 'wx' });
    await store.put(`${path}/${MANIFEST}`, draft);
  } finally {
    await draft.done();
  }
  return receiptOf(path, manifest, bytes);
}

/**
 * Reads the manifest of a piece.
 * @returns undefined when the folder holds none: nothing is there, or only what a cut-off run left
 * @throws HoldfastError HF_ARCHIVE_DAMAGED when it cannot be read as a manifest; HF_ARCHIVE_STORE as the store
 */
export async function readManifest(store: Store, path: string): Promise<FoundManifest | undefined> {
  const found = await store.get(`${path}/${MANIFEST}`);
  if (found === undefined) return undefined;
  try {
    const bytes = await readFile(found.file);
    const manifest = parsed(bytes);
    if (manifest === undefined) throw damaged(store, path, 'its manifest cannot be read');
    return { manifest, receipt: receiptOf(path, manifest, bytes) };
  } finally {
    await found.done();
  }
}

/** A piece is not what was written. */
export function damaged(store: Pick<Store, 'shown'>, path: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_DAMAGED',
    subject: `archive ${store.shown}/${path}`,
    what: `${what}.`,
    fix: 'Nothing was dropped on its account. Bring the piece back from a copy of the store.',
  });
}

function receiptOf(path: string, manifest: Manifest, bytes: Buffer): ArchiveReceipt {
  return {
    path,
    manifest: createHash('sha256').update(bytes).digest('hex'),
    rows: manifest.rows,
    bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

function parsed(bytes: Buffer): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

type Loose = { readonly [key: string]: unknown };

function isManifest(value: unknown): value is Manifest {
  if (!isObject(value)) return false;
  const { format, definition, relation, range, serial, columns, rows, content, files, createdAt } = value;
  return (
    format === 'holdfast-archive/1' &&
    [definition, content, createdAt].every((one) => typeof one === 'string') &&
    [serial, rows].every(isCount) &&
    isObject(relation) &&
    [relation['schema'], relation['name']].every((one) => typeof one === 'string') &&
    isObject(range) &&
    typeof range['column'] === 'string' &&
    typeof range['to'] === 'string' &&
    (range['from'] === null || typeof range['from'] === 'string') &&
    isList(columns, (one) => ['name', 'type', 'stored'].every((key) => typeof one[key] === 'string')) &&
    isList(files, isFile)
  );
}

// A name that could lead out of the piece's folder is no name of ours.
function isFile(one: Loose): boolean {
  return (
    typeof one['name'] === 'string' &&
    /^rows-\d+\.parquet$/.test(one['name']) &&
    typeof one['sha256'] === 'string' &&
    isCount(one['rows']) &&
    isCount(one['bytes'])
  );
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown, each: (one: Loose) => boolean): boolean {
  return Array.isArray(value) && value.every((one: unknown) => isObject(one) && each(one));
}
