// Which characters the bytes of a file are. UTF-8 is recognised strictly, over the whole file: a file with one
// byte that is not UTF-8 (be it the last) is windows-1252, in which every byte is a character.

import { isUtf8 } from 'node:buffer';
import type { Dialect } from './row.ts';

export type Encoding = Dialect['encoding'];

/** Checks bytes for UTF-8 as they stream by; sequences may be cut anywhere. */
export class Utf8Check {
  #rest = Buffer.alloc(0);
  #valid = true;

  push(chunk: Buffer): void {
    if (!this.#valid) return;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - unfinished(bytes);
    this.#valid = isUtf8(bytes.subarray(0, end));
    this.#rest = Buffer.from(bytes.subarray(end));
  }

  /** True when everything pushed, taken together, is UTF-8. */
  get valid(): boolean {
    return this.#valid && this.#rest.length === 0;
  }
}

// Bytes at the end that begin a sequence whose rest is still to come: 0 to 3.
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}

/** The encoding a byte order mark tells, and the mark's length; null without one. */
export function byteOrderMark(head: Buffer): { readonly encoding: Encoding; readonly length: number } | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { encoding: 'utf-8', length: 3 };
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', length: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', length: 2 };
  return null;
}

// What 0x80 to 0x9f are in windows-1252; the five bytes it leaves open are C1 controls, as in browsers. Written
// out because TextDecoder('windows-1252') reads them as latin-1 in several Node releases.
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Windows-1252 bytes as text. */
export function decodeWindows1252(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/[\u0080-\u009f]/g, (character) => WINDOWS_1252.charAt(character.charCodeAt(0) - 0x80));
}

/** Decodes a stream of bytes (without byte order mark) to text; what is no character becomes U+FFFD. */
export async function* decode(chunks: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<string> {
  if (encoding === 'windows-1252') {
    for await (const chunk of chunks) yield decodeWindows1252(chunk);
    return;
  }
  const decoder = new TextDecoder(encoding, { ignoreBOM: true });
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}
