// Whose a row is and what becomes of it, as SQL over rows of a relation and as a function over rows that lie elsewhere.
import type { RowText } from '../../define/erasure.ts';
import { label } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { SettingType } from '../setting.ts';
import { type Key, pseudonymOf } from './digest.ts';
import type { Carrier, Replacement, Rule } from './plan.ts';

/** One subject: its key as PostgreSQL prints it, and its digest. */
export interface Sought extends Key {
  readonly digest: Buffer;
}

/** The values of a condition's parameters: the key, and what it is within. */
export function valuesOf(sought: Sought): readonly string[] {
  return [sought.key, ...(sought.within === undefined ? [] : [sought.within])];
}

const CAST: Readonly<Record<SettingType, string>> = {
  text: 'text',
  uuid: 'uuid',
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
};

/** A key's parameter as the column's type, so that an index on the column serves the comparison. */
export function asType(parameter: string, type: SettingType): string {
  return `${parameter}::pg_catalog.text${type === 'text' ? '' : `::pg_catalog.${CAST[type]}`}`;
}

/** True for rows `alias` that are the subject's: $1 is the key, $2 what it is within. */
export function isTheirs(rules: readonly Rule[], rule: Rule, alias: string): string {
  const { via } = rule;
  if (via === undefined) return carries(rule, rule.by, alias);
  const parent = rules.find((one) => label(one.of) === label(via.parent));
  if (parent === undefined) return 'false';
  const above = `${alias}p`;
  const on = via.key.columns.map(
    (column, at) => `${above}.${ident(via.key.references.columns[at] ?? '')} = ${alias}.${ident(column)}`,
  );
  const theirs = isTheirs(rules, parent, above);
  return `EXISTS (SELECT FROM ${qualified(via.parent)} AS ${above} WHERE ${[...on, theirs].join(' AND ')})`;
}

function carries(rule: Rule, by: readonly Carrier[], alias: string): string {
  const equal = (one: Carrier, parameter: string): string =>
    `${alias}.${ident(one.column)} = ${asType(parameter, one.type)}`;
  const any = by.map((one) => equal(one, '$1'));
  const within = rule.within === undefined ? [] : [equal(rule.within, '$2')];
  return [...within, any.length === 1 ? (any[0] ?? '') : `(${any.join(' OR ')})`].join(' AND ');
}

/** True for rows `alias` that are the subject's and not yet as they are to be. */
export function isLeft(
  rules: readonly Rule[],
  rule: Rule,
  of: { readonly alias: string; readonly sought: Sought },
): string {
  const { alias, sought } = of;
  const theirs = isTheirs(rules, rule, alias);
  if (rule.act !== 'change') return theirs;
  const open = rule.set.map((one) => {
    if (one.own) return ownColumn(rule, one, alias);
    return `${alias}.${ident(one.column)}::pg_catalog.text IS DISTINCT FROM ${valueSql(one, sought)}::pg_catalog.text`;
  });
  return `${theirs} AND (${open.join(' OR ')})`;
}

function ownColumn(rule: Rule, one: Replacement, alias: string): string {
  const carrier = rule.by.filter((by) => by.column === one.column);
  return carries({ ...rule, by: carrier }, carrier, alias);
}

/** What stands after SET for rows `t` of a rule that changes them. */
export function assignments(rule: Rule, sought: Sought): string {
  return rule.set
    .map((one) => {
      const value = valueSql(one, sought);
      const column = ident(one.column);
      if (!one.own) return `${column} = ${value}`;
      return `${column} = CASE WHEN ${ownColumn(rule, one, 't')} THEN ${value} ELSE t.${column} END`;
    })
    .join(', ');
}

function valueSql(one: Replacement, sought: Sought): string {
  const value = valueOf(one, sought);
  return value === null ? `NULL::${one.type}` : `${literal(value).trim()}::${one.type}`;
}

function valueOf(one: Replacement, sought: Sought): string | null {
  return one.to === 'pseudonym' ? pseudonymOf(sought.digest, one.type) : one.to.value;
}

/** Whether a row that lies elsewhere is the subject's. */
export function rowIsTheirs(rule: Rule, sought: Sought, row: RowText): boolean {
  if (rule.within !== undefined && row[rule.within.column] !== sought.within) return false;
  return rule.by.some((by) => row[by.column] === sought.key);
}

/** What becomes of such a row: columns with new values, none where nothing is left to do; null: it goes. */
export function rowChange(
  rule: Rule,
  sought: Sought,
  row: RowText,
): ReadonlyMap<string, string | null> | null {
  if (rule.act === 'delete') return null;
  const changes = new Map<string, string | null>();
  for (const one of rule.set) {
    const value = valueOf(one, sought);
    if (one.own ? row[one.column] === sought.key : row[one.column] !== value) changes.set(one.column, value);
  }
  return changes;
}
