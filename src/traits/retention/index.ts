// Promise: rows leave on the day that is said, go where that is said, and nothing else ever takes one.
import { HoldfastError } from '../../error.ts';
import { relationOf, type TableReference } from '../reference.ts';
import { archived } from './build.ts';
import { findings } from './check.ts';
import { lengthOf } from './duration.ts';
import { erasingPart } from './erasing.ts';
import { folder } from './files/index.ts';
import { kept } from './keep.ts';
import type { RetentionOptions } from './options.ts';
import { promised } from './promises.ts';
import { shelfOf, type ShelvingTrait } from './shelf.ts';
import { watched } from './watch.ts';

/**
 * Rows leave a table when they are old enough: whole partitions without a row being copied, or rows in batches that
 * block no writer. They go to an archive that can be read, or for good. What a legal hold names stays.
 * Needs the keeper: job `retention`, daily at 01:00 UTC, and `vacuum` after it where rows were deleted one by one.
 * @throws HoldfastError HF_RETENTION_PERIOD when a length of time cannot be read, HF_RETENTION_OPTIONS when the options
 *   contradict each other
 * @example retention(orders, { online: '90 days', archive: { to: 'schema', for: '2 years' }, then: 'delete' })
 */
export function retention(table: TableReference, options: RetentionOptions): ShelvingTrait {
  const of = relationOf(table);
  const asked = { of, options };
  checkOptions(`retention of table ${of.schema}.${of.name}`, options);
  return {
    name: 'retention',
    after: ['partitions', 'versioning', 'immutability', 'rollups', 'tenancy'],
    check: (model) => findings(model, asked),
    build: (model) => archived(model, asked),
    keep: (model) => kept(model, asked),
    erasing: (model) => erasingPart(model, asked),
    watch: (model) => watched(model, asked),
    promises: (model) => promised(model, asked),
    shelf: (model) => shelfOf(model, asked),
    ...(options.archive?.store !== undefined && {
      indoors: (dir: string) => retention(table, within(dir, options)),
    }),
  };
}

/** The options with files in a folder. */
function within(dir: string, options: RetentionOptions): RetentionOptions {
  const { archive } = options;
  return archive === undefined
    ? options
    : { ...options, archive: { ...archive, store: folder(`${dir}/archive`) } };
}

function checkOptions(subject: string, { online, archive, then, batch }: RetentionOptions): void {
  lengthOf(online, subject);
  if (archive?.for !== undefined) lengthOf(archive.for, subject);
  const refuse = (what: string, fix: string): never => {
    throw new HoldfastError({ code: 'HF_RETENTION_OPTIONS', subject, what, fix });
  };
  if (then === 'keep' && archive === undefined)
    refuse('rows that are kept for ever have no place to go.', "Give an archive, or say then: 'delete'.");
  if (then === 'keep' && archive?.for !== undefined)
    refuse(`its archive is for ${archive.for} and then kept.`, "Leave out 'for', or say then: 'delete'.");
  if (then === 'delete' && archive !== undefined && archive.for === undefined)
    refuse(
      'its archive is deleted, and it does not say when.',
      "Say for: '2 years', counted from the end of the time online.",
    );
  if (archive?.to === 'files' && archive.store === undefined)
    refuse('its archive is of files, and it does not say where.', "Give 'store'.");
  if (archive?.to === 'schema' && archive.store !== undefined)
    refuse('its archive is a schema, and it has a store for files.', "Say to: 'files', or drop 'store'.");
  const numbers = [batch?.rows ?? 1, (batch?.pauseMs ?? 0) + 1];
  if (numbers.some((value) => !Number.isInteger(value) || value < 1))
    refuse(
      `its batch is ${JSON.stringify(batch)}.`,
      "Give 'rows' a whole number from 1 and 'pauseMs' one from 0.",
    );
}

export { holds, placeHold, releaseHold } from './holds.ts';
export type { Hold, HoldRequest } from './holds.ts';
export type { Duration } from './duration.ts';
export { retentionDefaults } from './options.ts';
export type { RetentionArchive, RetentionOptions } from './options.ts';
export { folder, s3 } from './files/index.ts';
export type { S3Options } from './files/index.ts';
export type * from './port.ts';
export { shelvesOf } from './shelf.ts';
export type { RestoreRequest, Shelf, ShelvedPart, ShelvingTrait } from './shelf.ts';
export type { PutBack } from './put-back.ts';
export type { Restored } from './restored.ts';
