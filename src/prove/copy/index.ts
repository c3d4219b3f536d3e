// Scratch copies of a database's structure, to attack and to measure in place of the database itself.
export type { Copy, CopyOptions, Left } from './copy.ts';
export { withCopy } from './with-copy.ts';
