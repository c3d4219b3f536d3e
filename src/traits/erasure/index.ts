// Promise: whoever may ask to be forgotten is, in every place that rows of them lie, and does not come back with a restore.
import { lengthOf } from '../retention/duration.ts';
import { built } from './build.ts';
import { findings } from './check.ts';
import { type ErasingTrait, eraserOf } from './eraser.ts';
import { kept, replayedAs } from './keep.ts';
import type { ErasureOptions } from './options.ts';
import { indoors, removals } from './prove.ts';
import { watched } from './watch.ts';

/**
 * Says who can be erased (LGPD art. 18, GDPR art. 17) and what becomes of each table's rows. Foreign keys to a subject are
 * walked by themselves: a table that they reach and that nobody names is a mistake of the definition.
 * A request is registered first, so that nobody writes rows of the subject any more; then its rows go in batches that block
 * no writer, out of tables, archives and rollups; then what they left in indexes and statistics is cleaned up. A digest of the
 * key stays in the register: rows that come back with a restore are erased again.
 * Needs the keeper: job `erasure`, daily at 03:00 UTC. Its role must be a member of the role that owns the tables.
 * @throws HoldfastError HF_RETENTION_PERIOD when a term is no length of time
 * @example erasure({ subjects: { person: { table: users, tables: [{ table: orders }, { table: auditLog, by: 'actor',
 *   keep: 'the actor is a pseudonym' }] }, tenant: { table: tenants, everywhere: 'tenant_id' } } })
 */
export function erasure(options: ErasureOptions): ErasingTrait {
  for (const [name, subject] of Object.entries(options.subjects))
    if (subject.term !== undefined) lengthOf(subject.term, `erasure of a ${name}`);
  return {
    name: 'erasure',
    after: ['partitions', 'versioning', 'immutability', 'rollups', 'tenancy', 'retention'],
    check: (model) => findings(model, options),
    build: (model) => built(model, options),
    keep: (model) => kept(model, options),
    watch: (model) => watched(model, options),
    proves: (model) => removals(model, options),
    indoors: (dir, told) => erasure(indoors(options, dir, told)),
    restored: (model) => async (context) => replayedAs(model, options, { context, everywhere: true }),
    eraser: (model) => eraserOf(model, options),
  };
}

export { erasersOf } from './eraser.ts';
export type { Eraser, ErasingTrait, ErasureReport, ErasureRequest } from './eraser.ts';
export type { Exported } from './export.ts';
export { erasureDefaults } from './options.ts';
export type { ErasedTable, ErasureOptions, ErasureSubject } from './options.ts';
export type { Replayed } from './replay.ts';
export type { Request } from './request.ts';
