// Archives of files: Parquet with zstd and one manifest a piece, in a folder or an S3-compatible bucket.
export { archiveFiles, folder, s3 } from './archive.ts';
export type { S3Options } from './s3-store.ts';
export type { Draft, Store } from './store.ts';
