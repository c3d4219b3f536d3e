// HT609: what is deleted softly keeps its unique values. HT610: names that differ by case alone.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { type Constraints, constraints } from '../facts/constraints.ts';
import { type Index, indexes } from '../facts/indexes.ts';
import { partSubject } from '../facts/naming.ts';
import { type Relation, type RelationColumn, relations } from '../facts/relations.ts';

const GONE = /^(?:deleted_at|removed_at|archived_at|deactivated_at)$/;

export const softDeleteUnique: TrapCheck = {
  code: 'HT609',
  name: 'unique-outlives-soft-delete',
  title: 'A row that is deleted softly keeps its unique values',
  severity: 'warning',
  traps: ['B4-25'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const all = await facts(constraints);
    const { of } = await facts(indexes);
    return tables.flatMap((table): readonly Draft[] => {
      const gone = table.columns.find(({ name, notNull }) => GONE.test(name) && !notNull)?.name;
      if (table.kind !== 'r' || table.parent !== null || gone === undefined) return [];
      return of(table.oid)
        .filter((index) => keepsValues(table, index, { gone, all }))
        .map((index) => outlives(table, index, gone));
    });
  },
  page: {
    what: '`email UNIQUE` on a table with `deleted_at`.',
    effect:
      'A deleted user’s row still holds the address: registering again fails with `duplicate key value violates unique constraint "users_email_key"`.',
    mend: '`CREATE UNIQUE INDEX … (email) WHERE deleted_at IS NULL` in place of the constraint.',
  },
};

function keepsValues(
  table: Relation,
  index: Index,
  { gone, all }: { readonly gone: string; readonly all: Constraints },
): boolean {
  if (!index.unique || index.primary || index.predicate !== null || index.expressions !== null) return false;
  if (index.columns.includes(gone) || !index.valid) return false;
  const primary = all.of(table.oid).find(({ kind }) => kind === 'p')?.columns ?? [];
  if (primary.some((column) => index.columns.includes(column))) return false;
  if (all.pointingAt(table.oid).some((key) => key.index === index.oid)) return false;
  const columns = table.columns.filter(({ name }) => index.columns.includes(name));
  return columns.every((column) => !givenOut(column) && column.type !== 'uuid');
}

/** Values that the database gives out are never wanted again. */
function givenOut({ default: text, identity }: RelationColumn): boolean {
  return identity || /^(?:nextval|gen_random_uuid|uuid_generate)/.test(text ?? '');
}

function outlives(table: Relation, index: Index, gone: string): Draft {
  const columns = index.columns.flatMap((column) => (column === null ? [] : ident(column)));
  const nulls = index.nullsNotDistinct ? ' NULLS NOT DISTINCT' : '';
  const drop =
    index.constraint === null
      ? `DROP INDEX ${qualified(index)}`
      : `ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${ident(index.constraint)}`;
  return {
    subject: partSubject('index', index.name, table),
    what: `It keeps (${index.columns.join(', ')}) unique among rows whose ${gone} is set as well.`,
    effect: `What was deleted cannot be made again: duplicate key value violates unique constraint "${index.name}".`,
    mend: [
      `CREATE UNIQUE INDEX ON ${qualified(table)} (${columns.join(', ')})${nulls} WHERE ${ident(gone)} IS NULL`,
      drop,
    ],
    advice: 'ON CONFLICT must then name the predicate: ON CONFLICT (…) WHERE … IS NULL.',
  };
}

const CASELESS = /^(?:.*_)?(?:e_?mail|email_address|username|user_name|login|handle)$/;

export const uniqueByCase: TrapCheck = {
  code: 'HT610',
  name: 'unique-by-letter-case',
  title: 'Two addresses that differ by the case of a letter are two',
  severity: 'warning',
  traps: ['B1-19', 'B4-25'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const all = await facts(constraints);
    const { of } = await facts(indexes);
    return tables.flatMap((table): readonly Draft[] => {
      const own = of(table.oid);
      return own.flatMap((index): readonly Draft[] => {
        const column = index.columns.find((name) => name !== null && CASELESS.test(name));
        const type = table.columns.find(({ name }) => name === column)?.type ?? '';
        if (!index.unique || index.parent !== null || column === null || column === undefined) return [];
        if (!/^(?:text|character)/.test(type)) return [];
        if (own.some((other) => other.unique && folds(other.expressions ?? '', column))) return [];
        if (all.of(table.oid).some(({ kind, definition }) => kind === 'c' && folds(definition, column)))
          return [];
        return [differing(table, index, column)];
      });
    });
  },
  page: {
    what: '`email text UNIQUE` on a table of users: unique letter by letter.',
    effect:
      "'B@x.org' is stored beside 'b@x.org': two accounts of one person, and a login that finds neither or the wrong one.",
    mend: 'Store it in small letters (`CHECK (email = lower(email))`), or a unique index on `lower(email)`. Under row security a stored generated column is the one that an index can serve: `lower()` is not leakproof.',
  },
};

function folds(text: string, column: string): boolean {
  return /\b(?:lower|upper)\(/.test(text) && text.includes(column);
}

function differing(table: Relation, index: Index, column: string): Draft {
  const keys = index.columns.map((name) => (name === column ? `lower(${ident(column)})` : ident(name ?? '')));
  const simple = !index.columns.includes(null);
  const where = index.predicate === null ? '' : ` WHERE ${index.predicate}`;
  return {
    subject: partSubject('column', column, table),
    what: `${index.name} keeps it unique letter by letter.`,
    effect: "'B@x.org' is stored beside 'b@x.org'.",
    mend: simple ? [`CREATE UNIQUE INDEX ON ${qualified(table)} (${keys.join(', ')})${where}`] : [],
    advice: `Rows that differ by case alone stand in the way; find them with SELECT lower(${ident(column)}) FROM ${qualified(table)} GROUP BY 1 HAVING count(*) > 1.`,
  };
}
