// Indexes as DDL, for tables and materialised views alike.
import type { Index, IndexElement, RelationName } from '../../define/model.ts';
import { label } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { LoweredStatement } from '../lower.ts';

import { collation, parameters } from './clause.ts';
import { statement } from './objects.ts';

/** Lowers one index of a table or a materialised view. */
export function lowerIndex(on: RelationName, index: Index): LoweredStatement {
  const elements = index.elements.map(element).join(', ');
  const sql = [
    `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${ident(index.name)} ON ${qualified(on)}`,
    `USING ${ident(index.method)} (${elements})`,
    ...(index.include === undefined || index.include.length === 0
      ? []
      : [`INCLUDE (${index.include.map(ident).join(', ')})`]),
    ...(index.nullsNotDistinct === true ? ['NULLS NOT DISTINCT'] : []),
    ...(index.with === undefined ? [] : [`WITH (${parameters(index.with)})`]),
    ...(index.where === undefined ? [] : [`WHERE ${index.where}`]),
  ].join(' ');
  return {
    ...statement(`index ${on.schema}.${index.name} on ${label(on)}`, sql),
    origin: `relation ${label(on)}`,
  };
}

/** The statement for an index's comment, if it has one. */
export function indexComment(on: RelationName, index: Index): LoweredStatement[] {
  if (index.comment === undefined) return [];
  const name = qualified({ schema: on.schema, name: index.name });
  return [
    statement(`index ${on.schema}.${index.name}`, `COMMENT ON INDEX ${name} IS ${literal(index.comment)}`),
  ];
}

function element(one: IndexElement): string {
  return [
    one.column === undefined ? (one.expression ?? '') : ident(one.column),
    ...(one.collation === undefined ? [] : [`COLLATE ${collation(one.collation)}`]),
    ...(one.opclass === undefined ? [] : [one.opclass]),
    ...(one.order === undefined ? [] : [one.order.toUpperCase()]),
    ...(one.nulls === undefined ? [] : [`NULLS ${one.nulls.toUpperCase()}`]),
  ].join(' ');
}
