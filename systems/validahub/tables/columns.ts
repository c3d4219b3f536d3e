// What every table of ValidaHub shares: the schema, the tenant column, times, pseudonyms and the form of their checks.
import { sql } from 'drizzle-orm';
import {
  check,
  jsonb,
  pgSchema,
  text,
  timestamp,
  type CheckBuilder,
  type ExtraConfigColumn,
} from 'drizzle-orm/pg-core';

/** The schema all of ValidaHub lives in. */
export const validahub = pgSchema('validahub');

/** The form of a tenant id; the same pattern guards the session setting and the `tenants` table. */
export const TENANT_ID = /^t_[a-z0-9_]{1,47}$/;

export { CHANNELS, type Channel } from '../rules/rule.ts';

/** The tenant column: it leads every key and index of every table. */
export const tenantId = () => text('tenant_id').notNull();

/** A point in time, `timestamptz`, as a `Date`. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

/** `created_at`, filled by the server. */
export const createdAt = () => moment('created_at').notNull().defaultNow();

/** A JSON object that is never null: `'{}'` unless said. */
export const object = (name: string) =>
  jsonb(name)
    .$type<Record<string, unknown>>()
    .notNull()
    .default(sql`'{}'::jsonb`);

/** A JSON list that is never null: `'[]'` unless said. */
export const list = (name: string) =>
  jsonb(name)
    .$type<readonly unknown[]>()
    .notNull()
    .default(sql`'[]'::jsonb`);

/** One allowed value of a list, as a check. Text and a check rather than a native enum: enum operators are not
 * leakproof, so under row security no index on an enum column is used. */
export function oneOf(name: string, column: ExtraConfigColumn, values: readonly string[]): CheckBuilder {
  return check(name, sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(', '))})`);
}

/** Text of at most `most` characters; null passes. */
export function atMost(name: string, column: ExtraConfigColumn, most: number): CheckBuilder {
  return check(name, sql`char_length(${column}) <= ${sql.raw(String(most))}`);
}

/** Newest (or largest) first, as `ORDER BY … DESC` asks for it: Drizzle's own default for `desc()` in an index is
 * NULLS LAST, which no plain `DESC` ordering can use. */
export function falling(column: ExtraConfigColumn): Partial<ExtraConfigColumn> {
  return column.desc().nullsFirst();
}
