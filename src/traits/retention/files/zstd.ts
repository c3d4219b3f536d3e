// Zstandard for Parquet pages: Node's own where it has it (22.15 and later), else the reference library as WebAssembly.
import * as zlib from 'node:zlib';

/** One page in, one page out; both at once, as Parquet's pages are small. */
export interface Zstd {
  readonly compress: (bytes: Uint8Array) => Uint8Array;
  readonly decompress: (bytes: Uint8Array) => Uint8Array;
}

// The library's own default: higher levels gained under 3 % on archived rows and cost twice the time.
const LEVEL = 3;

interface OwnZstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  readonly zstdDecompressSync?: (bytes: Uint8Array) => Buffer;
}

// A definition may load this module a second time beside the command line's. The library is one for both, and preparing
// it anew while it works makes it fail, so whoever comes first prepares it for the process.
const READY = Symbol.for('holdfast.zstd');

/** The compressor of this process, prepared on first use. */
export async function zstd(): Promise<Zstd> {
  const shared = globalThis as { [READY]?: Promise<Zstd> };
  shared[READY] ??= prepare();
  return shared[READY];
}

async function prepare(): Promise<Zstd> {
  const { zstdCompressSync, zstdDecompressSync } = zlib as OwnZstd;
  if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined)
    return { compress: (bytes) => zstdCompressSync(bytes), decompress: (bytes) => zstdDecompressSync(bytes) };
  const library = await import('@bokuweb/zstd-wasm');
  await library.init();
  return {
    compress: (bytes) => library.compress(bytes, LEVEL),
    decompress: (bytes) => library.decompress(bytes),
  };
}
