// GRANT and REVOKE as text: what makes one set of privileges into another, and no more than that, so that nobody goes
// without a right that is held before and after.
// https://www.postgresql.org/docs/current/sql-grant.html
import type { StableId } from '@supabase/pg-delta/core';
import { ident, qualified } from '../../sql.ts';

/** What one role holds on one object or column. */
export interface Held {
  readonly privileges: readonly string[];
  /** Those among them that it may give to others. */
  readonly grantable: readonly string[];
}

export const NOTHING: Held = { privileges: [], grantable: [] };

/** What has to be given and taken, each list in the order of the names. */
export interface Difference {
  readonly revoke: readonly string[];
  readonly revokeOption: readonly string[];
  readonly grant: readonly string[];
  readonly grantWithOption: readonly string[];
}

/** What makes `have` into `want`. A privilege that goes takes its grant option with it. */
export function between(have: Held, want: Held): Difference {
  return {
    revoke: missing(want.privileges, have.privileges),
    revokeOption: missing(want.grantable, have.grantable).filter((one) => want.privileges.includes(one)),
    grant: missing([...have.privileges, ...want.grantable], want.privileges),
    grantWithOption: missing(have.grantable, want.grantable),
  };
}

function missing(of: readonly string[], from: readonly string[]): string[] {
  return from.filter((one) => !of.includes(one));
}

/** Where privileges are held: `ON on`, of `column`, by `to` (quoted); `before` stands in front of each statement. */
export interface Place {
  readonly on: string;
  readonly to: string;
  readonly column?: string;
  readonly before?: string;
}

/** The statements that take. */
export function taking({ revoke, revokeOption }: Difference, place: Place): string[] {
  const from = `ON ${place.on} FROM ${place.to}`;
  return [
    ...(revoke.length === 0 ? [] : [`REVOKE ${listed(revoke, place)} ${from}`]),
    ...(revokeOption.length === 0 ? [] : [`REVOKE GRANT OPTION FOR ${listed(revokeOption, place)} ${from}`]),
  ].map((sql) => begun(sql, place));
}

/** The statements that give. */
export function giving({ grant, grantWithOption }: Difference, place: Place): string[] {
  const to = `ON ${place.on} TO ${place.to}`;
  return [
    ...(grant.length === 0 ? [] : [`GRANT ${listed(grant, place)} ${to}`]),
    ...(grantWithOption.length === 0
      ? []
      : [`GRANT ${listed(grantWithOption, place)} ${to} WITH GRANT OPTION`]),
  ].map((sql) => begun(sql, place));
}

/** The statement that takes everything on an object and on all its columns. */
export function takingAll(place: Place): string {
  return begun(`REVOKE ALL ON ${place.on} FROM ${place.to}`, place);
}

function begun(sql: string, { before }: Place): string {
  return before === undefined ? sql : `${before} ${sql}`;
}

function listed(privileges: readonly string[], { column }: Place): string {
  return privileges.map((one) => (column === undefined ? one : `${one} (${ident(column)})`)).join(', ');
}

/** A role as GRANT names it. */
export function granteeSql(name: string): string {
  return name === 'PUBLIC' ? 'PUBLIC' : ident(name);
}

/** An object as GRANT names it: `TABLE "shop"."orders"`. */
export function objectSql(id: StableId): string {
  switch (id.kind) {
    case 'schema':
      return `SCHEMA ${ident(id.name)}`;
    case 'sequence':
      return `SEQUENCE ${qualified(id)}`;
    case 'function':
    case 'aggregate':
      return `FUNCTION ${qualified(id)}(${id.args.join(', ')})`;
    case 'procedure':
      return `PROCEDURE ${qualified(id)}(${id.args.join(', ')})`;
    case 'type':
    case 'domain':
      return `TYPE ${qualified(id)}`;
    case 'fdw':
      return `FOREIGN DATA WRAPPER ${ident(id.name)}`;
    case 'server':
      return `FOREIGN SERVER ${ident(id.name)}`;
    default:
      return `TABLE ${qualified(id as { schema: string; name: string })}`;
  }
}
