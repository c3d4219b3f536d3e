// Promise: of two writers that read the same row, one wins and the other is told.
import type { Trait } from '../../define/trait.ts';
import { columnOf, type ColumnReference, relationOf, type TableReference } from '../reference.ts';
import { findings, version } from './build.ts';

export interface VersioningOptions {
  /** `timestamptz` column that each update moves forward. */
  readonly updatedAt?: ColumnReference;
  /** Integer column that each update raises by one. */
  readonly revision?: ColumnReference;
  /** `text` or `uuid` column that each write replaces by a new opaque value. */
  readonly etag?: ColumnReference;
  /** True: an update that does not say which revision it read is refused. Default false: it is applied unchecked. */
  readonly required?: boolean;
}

/**
 * Moves `updated_at` and a revision (or etag) in the database, and compares inside the UPDATE: a statement that sets the
 * revision column sets it to the value it read; if the row has another by then, the update fails with SQLSTATE ZH005.
 * @throws HoldfastError HF_VERSIONING_OPTIONS when neither column is named, or both a revision and an etag
 * @example versioning(ruleSets, { updatedAt: 'updated_at', revision: 'version' })
 */
export function versioning(table: TableReference, options: VersioningOptions): Trait {
  const of = relationOf(table);
  const columns = {
    updatedAt: options.updatedAt === undefined ? undefined : columnOf(options.updatedAt),
    revision: options.revision === undefined ? undefined : columnOf(options.revision),
    etag: options.etag === undefined ? undefined : columnOf(options.etag),
    required: options.required ?? false,
  };
  return {
    name: 'versioning',
    check: (model) => findings(model, { of, columns }),
    build: (model) => version(model, { of, columns }),
  };
}
