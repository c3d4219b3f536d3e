// Where a piece lies in a store: a path made of names that any file system and any bucket can hold.
import { createHash } from 'node:crypto';
import type { RelationName } from '../../../define/model.ts';
import type { ArchivePiece } from '../port.ts';

/** The manifest's name in a piece's folder. */
export const MANIFEST = 'manifest.json';

// A file system keeps 255 bytes a name; what is longer is cut and told apart by its hash.
const MAX_NAME = 200;
const KEPT_OF_LONG = 160;

/** The folder of a definition. */
export function definitionPath(definition: string): string {
  return safe(definition);
}

/** The folder of a piece: `<definition>/<schema>.<table>/<from>-<to>`, and the serial after it where there is one. */
export function piecePath(definition: string, piece: ArchivePiece): string {
  const { of, range, serial = 0 } = piece;
  const from = range.from === null ? 'start' : stamp(range.from);
  const bounds = `${from}-${stamp(range.to)}${serial === 0 ? '' : `-${serial}`}`;
  return `${safe(definition)}/${relationPath(of)}/${bounds}`;
}

/** The name of a data file, by its number from 0. */
export function fileName(number: number): string {
  return `rows-${String(number + 1).padStart(5, '0')}.parquet`;
}

function relationPath(of: RelationName): string {
  return `${safe(of.schema)}.${safe(of.name)}`;
}

/**
 * A name of a database as a name of a file: what is not a small letter, a digit, `_` or `-` becomes `%` and its bytes.
 * So nothing in it is a path, and two names that differ in case stay two where the file system does not tell case.
 */
function safe(name: string): string {
  const plain = [...Buffer.from(name, 'utf8')]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[a-z0-9_-]/.test(letter) ? letter : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
  if (plain.length <= MAX_NAME / 2) return plain === '' ? '%' : plain;
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${plain.slice(0, KEPT_OF_LONG / 2)}~${mark}`;
}

/** An instant without signs: `20260101T000000Z`, with milliseconds where it has any. */
function stamp(at: Date): string {
  const plain = at.toISOString().replaceAll(/[-:]/g, '');
  return plain.endsWith('.000Z') ? plain.replace('.000Z', 'Z') : plain;
}
