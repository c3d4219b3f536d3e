// HT106 and HT107: keys that PostgreSQL checks without asking a policy.
import { createHash } from 'node:crypto';
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { constraints, type Constraint } from '../facts/constraints.ts';
import { indexes, type Index } from '../facts/indexes.ts';
import { partSubject } from '../facts/naming.ts';
import { memberLists } from '../facts/member-lists.ts';
import { ownership, type Ownership } from '../facts/owned.ts';
import { relations, type Relation, type Relations } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';

/** Values that nobody meets by chance; whoever knows one knows it already. */
const DIGEST = /(^|_)(hash|digest|token|etag|sha256|fingerprint)$/i;
const RANDOM = /gen_random_uuid|uuid_generate|uuidv[47]|gen_random_bytes|nanoid|cuid|ulid/;

export const uniqueReveals: TrapCheck = {
  code: 'HT106',
  name: 'unique-reveals',
  title: "A unique key spans owners and reveals another owner's value",
  severity: 'warning',
  traps: ['BX-08', 'B2-03', 'B3-18'],
  find: async ({ facts, boundaries }) => {
    const found = await facts(relations);
    const owned = await facts(ownership);
    const { holders } = await facts(rights);
    const { of } = await facts(indexes);
    const keys = await facts(constraints);
    // Where nothing is under row security, whose the rows are was taken from a column's name alone.
    const guarded = found.tables.some(({ rowSecurity }) => rowSecurity);
    const spanning = new Set(
      boundaries.flatMap((boundary) =>
        boundary.spanning.map((one) => `${one.of.schema}.${one.of.name}.${one.columns.toSorted().join()}`),
      ),
    );
    return found.tables.flatMap((table) => {
      const whose = table.parent === null ? owned.of(table)?.column : undefined;
      if (whose === undefined || holders(table.oid, 'insert', 'update').length === 0) return [];
      // The owners themselves: a name that only one of them may have is usually meant.
      const isRoot = keys.of(table.oid).some(({ kind, columns }) => kind === 'p' && columns.join() === whose);
      const excluding = keys
        .of(table.oid)
        .filter(({ kind, columns, inherited }) => kind === 'x' && !inherited && !columns.includes(whose));
      const unique = of(table.oid).flatMap((index): Draft | readonly Draft[] => {
        if (!index.unique || index.columns.includes(whose)) return [];
        const columns = index.columns.map((name) => name ?? 'an expression').join(', ');
        if (spanning.has(`${table.schema}.${table.name}.${index.columns.toSorted().join()}`)) return [];
        const kind = guessed(table, index, { foreign: keys.of(table.oid), owned, found });
        if (kind === 'unguessable') return [];
        return {
          subject: partSubject('key', index.name, table),
          what: `It is unique over all owners: (${columns}) without ${whose}.`,
          effect: `Who inserts a value of another owner's row is told so: duplicate key value violates unique constraint "${index.name}"; ON CONFLICT DO NOTHING silently inserts nothing.`,
          mend: kind === 'counted' ? [] : rekeyed(table, index, { whose, keys: keys.pointingAt(table.oid) }),
          advice:
            kind === 'counted'
              ? 'Numbers of one sequence meet nobody else’s unless somebody writes them by hand: GENERATED ALWAYS keeps them from it. They tell how many rows there are; where that matters, use a uuid.'
              : `Put ${whose} first in the key. Foreign keys that use it need ${whose} too; a key that is meant to span owners is declared so (spanning).`,
          ...(kind !== 'value' || !guarded || isRoot ? { severity: 'info' as const } : {}),
        };
      });
      return [...unique, ...excluding.map((key) => exclusion(key, { table, whose }))];
    });
  },
  page: {
    what: "A table of owners' rows has a unique key without the owner's column: `UNIQUE (slug)`, `UNIQUE (email)`.",
    effect:
      'Unique keys are checked over all rows, hidden ones too. `duplicate key value violates unique constraint "rule_sets_slug_key"` tells one tenant that another has that value; the other cannot have it any more; `ON CONFLICT DO UPDATE` fails with `new row violates row-level security policy (USING expression)`. Random keys (a uuid by default) reveal nothing and are left alone; counted ones are told as information.',
    mend: "Put the owner's column into the key, first: `UNIQUE (tenant_id, slug)`.",
  },
};

function exclusion(key: Constraint, { table, whose }: { table: Relation; whose: string }): Draft {
  return {
    subject: partSubject('key', key.name, table),
    what: `It excludes over all owners: ${key.definition.slice(0, 120)}.`,
    effect: `Who inserts what meets another owner's row is told so: conflicting key value violates exclusion constraint "${key.name}".`,
    mend: [],
    advice: `Begin it with ${whose} WITH = (extension btree_gist has the operator for gist).`,
  };
}

interface Around {
  readonly foreign: readonly Constraint[];
  readonly owned: Ownership;
  readonly found: Relations;
}

// A key nobody can guess reveals nothing, nor does one under a row whose own key nobody can guess.
function guessed(
  table: Relation,
  index: Index,
  { foreign, owned, found }: Around,
): 'unguessable' | 'counted' | 'digest' | 'value' {
  const columns = index.columns.map((name) => table.columns.find((column) => column.name === name));
  if (
    columns.some(
      (column) => column !== undefined && (column.type === 'uuid' || RANDOM.test(column.default ?? '')),
    )
  )
    return 'unguessable';
  const counted = columns.every(
    (column) => column !== undefined && (column.identity || /nextval\(/.test(column.default ?? '')),
  );
  if (counted) return 'counted';
  if (index.columns.some((name) => DIGEST.test(name ?? ''))) return 'digest';
  const under = foreign.some(({ kind, columns: names, references }) => {
    const parent = kind === 'f' ? found.byOid(references ?? 0) : undefined;
    return (
      parent !== undefined &&
      owned.of(parent) !== undefined &&
      names.every((name) => index.columns.includes(name))
    );
  });
  return under ? 'digest' : 'value';
}

function rekeyed(
  table: Relation,
  index: Index,
  { whose, keys }: { whose: string; keys: readonly Constraint[] },
): readonly string[] {
  if (keys.some((key) => key.index === index.oid)) return [];
  if (index.constraint !== null) {
    if (index.expressions !== null) return [];
    const columns = [whose, ...index.columns.map((name) => name ?? '')].map(ident).join(', ');
    const kind = index.primary ? 'PRIMARY KEY' : 'UNIQUE';
    const name = ident(index.constraint);
    return [
      `ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} ${kind} (${columns})`,
    ];
  }
  const opened = index.definition.replace(/^(CREATE UNIQUE INDEX .*? USING \w+ \()/, `$1${ident(whose)}, `);
  return [`DROP INDEX ${qualified(index)}`, opened];
}

export const foreignKeyCrosses: TrapCheck = {
  code: 'HT107',
  name: 'foreign-key-crosses',
  title: "A foreign key accepts another owner's row",
  severity: 'error',
  traps: ['BX-08'],
  find: async ({ facts }) => {
    const found = await facts(relations);
    const owned = await facts(ownership);
    const { holders } = await facts(rights);
    const keys = await facts(constraints);
    const at = await facts(indexes);
    const guarded = found.tables.some(({ rowSecurity }) => rowSecurity);
    const lists = await facts(memberLists);
    return found.tables.flatMap((table) => {
      const whose = table.parent === null ? owned.of(table) : undefined;
      if (whose === undefined || holders(table.oid, 'insert', 'update').length === 0) return [];
      // Who is a member of what is said by pointing at it: its two ends are never one owner's.
      if (lists.has(table.oid)) return [];
      const foreign = keys.of(table.oid).filter(({ kind, inherited }) => kind === 'f' && !inherited);
      const loose = foreign.filter((key) => crosses(key, { table, owned, found, foreign }));
      return loose.map((key): Draft => {
        const parent = found.byOid(key.references ?? 0) as Relation;
        const column = owned.of(parent)?.column;
        return {
          subject: partSubject('foreign key', key.name, table),
          what: `(${key.columns.join(', ')}) points at ${parent.schema}.${parent.name} and nothing says that both rows are one ${whose.boundary.name}'s.`,
          effect: `PostgreSQL checks a foreign key past row security: a row that points at another ${whose.boundary.name}'s row is accepted, and a refusal tells whether that row is there.`,
          mend:
            whose.column === undefined || column === undefined
              ? []
              : composite(key, { table, parent, child: whose.column, column, unique: at.of(parent.oid) }),
          advice:
            whose.column === undefined
              ? `Carry the owner's column in ${table.schema}.${table.name} and let every foreign key contain it.`
              : 'Rows that cross already make the new key fail: find them first, they are the damage done.',
          ...(whose.column === undefined || !guarded ? { severity: 'warning' as const } : {}),
        };
      });
    });
  },
  page: {
    what: "Both tables hold owners' rows, and the foreign key between them does not contain the owner's column: `rule_versions.rule_set_id` → `rule_sets.id`. Or a table without that column points at two tables of owners' rows, and nothing ties the two together.",
    effect:
      'Foreign keys are checked with row security off, so that they hold. A tenant inserts a row that points at a row it cannot see, and the difference between success and `violates foreign key constraint` says whether that row exists. `ON DELETE CASCADE` then deletes across owners.',
    mend: 'Make the key composite: `UNIQUE (tenant_id, id)` on the parent, `FOREIGN KEY (tenant_id, parent_id) REFERENCES parent (tenant_id, id)` on the child.',
  },
};

interface Near {
  readonly table: Relation;
  readonly owned: Ownership;
  readonly found: Relations;
  readonly foreign: readonly Constraint[];
}

function crosses(key: Constraint, { table, owned, found, foreign }: Near): boolean {
  const parent = found.byOid(key.references ?? 0);
  const above = parent === undefined ? undefined : owned.of(parent);
  if (parent === undefined || above === undefined) return false;
  const column = owned.of(table)?.column;
  // Without a column of its own a row is its parent's; a second parent may be somebody else's.
  if (column === undefined) {
    const parents = foreign.filter((other) => {
      const to = found.byOid(other.references ?? 0);
      return to !== undefined && to.oid !== table.oid && owned.of(to) !== undefined;
    });
    return parents.length > 1 && parents.indexOf(key) > 0 && !sharesColumn(key, parents[0]);
  }
  if (above.column === undefined) return false;
  const ties = key.columns.some((name, at) => name === column && key.referenced[at] === above.column);
  return !ties && !key.referenced.includes(above.column);
}

function sharesColumn(key: Constraint, first: Constraint | undefined): boolean {
  return (
    first !== undefined && key.columns.length > 1 && key.columns.some((name) => first.columns.includes(name))
  );
}

interface Composite {
  readonly table: Relation;
  readonly parent: Relation;
  /** The owner's column here and there. */
  readonly child: string;
  readonly column: string;
  /** Indexes of the parent. */
  readonly unique: readonly Index[];
}

const ACTIONS = { a: '', ' ': '', r: ' RESTRICT', c: ' CASCADE', n: ' SET NULL', d: ' SET DEFAULT' } as const;

function composite(key: Constraint, at: Composite): readonly string[] {
  const wanted = [at.column, ...key.referenced];
  const there = at.unique.some(
    ({ unique, immediate, predicate, columns }) =>
      unique && immediate && predicate === null && columns.join() === wanted.join(),
  );
  const list = wanted.map(ident).join(', ');
  const touched =
    key.onDelete === 'n' || key.onDelete === 'd' ? ` (${key.columns.map(ident).join(', ')})` : '';
  const deletes = ACTIONS[key.onDelete] === '' ? '' : ` ON DELETE${ACTIONS[key.onDelete]}${touched}`;
  // SET NULL on update would empty the owner's column; a key of several columns is updated by CASCADE alone.
  const updates = key.onUpdate === 'c' ? ' ON UPDATE CASCADE' : '';
  const tag = createHash('sha256').update(list).digest('hex').slice(0, 8);
  return [
    ...(there
      ? []
      : [
          `CREATE UNIQUE INDEX IF NOT EXISTS ${ident(`${at.parent.name.slice(0, 40)}_owner_${tag}`)} ON ${qualified(at.parent)} (${list})`,
        ]),
    `ALTER TABLE ${qualified(at.table)} DROP CONSTRAINT ${ident(key.name)}, ADD CONSTRAINT ${ident(key.name)} FOREIGN KEY (${[at.child, ...key.columns].map(ident).join(', ')}) REFERENCES ${qualified(at.parent)} (${list})${deletes}${updates}`,
  ];
}
