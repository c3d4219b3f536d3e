// Whose the rows of a table are, by the boundaries: what the checks of isolation ask first.
import { ident, literal, qualified } from '../../../sql.ts';
import type { RelationName } from '../../../define/model.ts';
import type { Boundary } from '../../../define/proof.ts';
import type { Fact } from '../check.ts';
import { constraints } from './constraints.ts';
import { policies } from './policies.ts';
import { relations, type Relation } from './relations.ts';

/** How a table's rows are somebody's. */
export interface Owned {
  readonly boundary: Boundary;
  /** The column that says whose; absent where a foreign key leads to a row that has one. */
  readonly column?: string;
}

/** Answers for tables and their partitions alike. */
export interface Ownership {
  /** Undefined: everybody's, or nobody said. */
  readonly of: (relation: Relation) => Owned | undefined;
  /** SQL that holds for the rows of the session's owner; undefined where nothing in the catalogue says how. */
  readonly condition: (relation: Relation) => string | undefined;
}

export const ownership: Fact<Ownership> = {
  name: 'ownership',
  read: async ({ boundaries, facts }) => {
    const found = await facts(relations);
    const keys = await facts(constraints);
    const columns = new Map<string, Owned>();
    const shared = new Set(boundaries[0]?.shared.map(({ of }) => key(of)));
    for (const boundary of boundaries) {
      for (const { of, column } of boundary.tables) {
        if (!columns.has(key(of))) columns.set(key(of), { boundary, column });
      }
    }
    const lists = new Set((await facts(policies)).all.flatMap(({ reads }) => reads));
    // What a list of members that policies read leads to belongs to its members.
    const listed = found.tables.flatMap((list) => {
      const by = lists.has(list.oid) ? columns.get(key(list))?.column : undefined;
      if (by === undefined) return [];
      return keys
        .of(list.oid)
        .filter(
          ({ kind, columns: names }) =>
            kind === 'f' && !names.includes(by) && !/_by(_id)?$/.test(names[0] ?? ''),
        )
        .map(({ references }) => references);
    });
    const below = belowOwned(
      found.tables,
      (table) => columns.has(key(table)) || (listed.includes(table.oid) && !shared.has(key(table))),
      keys.of,
    );
    const of = (relation: Relation): Owned | undefined => {
      const root = found.root(relation);
      const direct = columns.get(key(root));
      if (direct !== undefined) return direct;
      const boundary = boundaries[0];
      return boundary !== undefined && below.has(root.oid) && !shared.has(key(root))
        ? { boundary }
        : undefined;
    };
    return {
      of,
      condition: (relation) => {
        const owned = of(relation);
        if (owned === undefined) return undefined;
        if (owned.column !== undefined)
          return comparison(found.root(relation), owned.column, {
            boundary: owned.boundary,
            prefix: '',
          });
        const parent = keys
          .of(found.root(relation).oid)
          .filter(({ kind, columns }) => kind === 'f' && columns.length === 1)
          .map((foreign) => ({ foreign, to: found.byOid(foreign.references ?? 0) }))
          .find(({ to }) => to !== undefined && to.oid !== relation.oid && of(to)?.column !== undefined);
        if (parent?.to === undefined) return undefined;
        const { foreign, to } = parent;
        return `EXISTS (SELECT FROM ${qualified(to)} o WHERE o.${ident(foreign.referenced[0] ?? '')} = ${qualified(found.root(relation))}.${ident(foreign.columns[0] ?? '')} AND ${comparison(to, of(to)?.column ?? '', { boundary: owned.boundary, prefix: 'o.' })})`;
      },
    };
  },
};

function key({ schema, name }: RelationName): string {
  return JSON.stringify([schema, name]);
}

// Tables from which foreign keys lead, however far, to one with an owner column.
function belowOwned(
  tables: readonly Relation[],
  owned: (table: Relation) => boolean,
  keysOf: (oid: number) => readonly { kind: string; references: number | null }[],
): ReadonlySet<number> {
  const below = new Set(tables.filter(owned).map(({ oid }) => oid));
  for (let size = -1; size !== below.size;) {
    size = below.size;
    for (const { oid } of tables) {
      if (keysOf(oid).some(({ kind, references }) => kind === 'f' && below.has(references ?? 0)))
        below.add(oid);
    }
  }
  return below;
}

/** Unset and empty settings match no row, and raise no error. */
function comparison(
  table: Relation,
  column: string,
  { boundary, prefix }: { boundary: Boundary; prefix: string },
): string {
  const type = table.columns.find(({ name }) => name === column)?.type ?? 'text';
  const text = `nullif(pg_catalog.current_setting(${literal(boundary.setting)}, true), '')`;
  const path = (boundary.within ?? []).map((key, at, { length }) =>
    at === length - 1 ? ` ->> ${literal(key)}` : ` -> ${literal(key)}`,
  );
  const value = path.length === 0 ? text : `nullif(${text}::jsonb${path.join('')}, '')`;
  const cast = /^(text|character varying)/.test(type) ? value : `(${value})::${type}`;
  return `${prefix}${ident(column)} = ${cast}`;
}
