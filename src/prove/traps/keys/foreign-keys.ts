// HT605: a delete that cannot happen. HT606: SET NULL where NULL is refused. HT607: a foreign key of telemetry. HT608: a
// row that may point at itself. HT612: a key whose namesake is another column.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { type Constraint, type Constraints, constraints } from '../facts/constraints.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';

export const cascadeBlocked: TrapCheck = {
  code: 'HT605',
  name: 'cascade-blocked',
  title: 'A row that is meant to be deletable is held by a foreign key without an action',
  severity: 'warning',
  traps: ['B4-24', 'B1-17'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const all = await facts(constraints);
    const findings = new Map<number, Draft>();
    for (const held of heldRows(all)) {
      const [root, of] = [byOid(held.root), byOid(held.held)];
      if (root === undefined || of === undefined) continue;
      for (const key of blockers(all, held)) {
        const by = byOid(key.relation);
        if (by === undefined || findings.has(key.oid)) continue;
        findings.set(key.oid, blocked({ root, held: of, by }, key));
      }
    }
    return [...findings.values()];
  },
  page: {
    what: '`REFERENCES agents (id)` without ON DELETE beside tables that go with ON DELETE CASCADE.',
    effect:
      'Deleting the row at the top runs down the cascade until it meets the key without an action, and everything is undone: `update or delete on table "agents" violates foreign key constraint "agent_messages_source_agent_id_fkey" on table "agent_messages"`. No project whose agent ever sent a message can be deleted.',
    mend: 'Decide for each foreign key: CASCADE for what belongs to the row, SET NULL for who did something, and a test that deletes each root object. Where keeping the row is meant, write ON DELETE RESTRICT.',
  },
};

/** Tables whose rows take others with them, with all that go. */
function cascades(all: Constraints): ReadonlyMap<number, ReadonlySet<number>> {
  const roots = new Set(
    all.all.filter(({ onDelete }) => onDelete === 'c').map(({ references }) => references ?? 0),
  );
  return new Map(
    [...roots].map((root) => {
      const reached = new Set<number>();
      const queue = [root];
      for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
        for (const { relation, onDelete } of all.pointingAt(at)) {
          if (onDelete !== 'c' || reached.has(relation) || relation === root) continue;
          reached.add(relation);
          queue.push(relation);
        }
      }
      return [root, reached];
    }),
  );
}

interface Held {
  readonly root: number;
  /** A table whose rows go with the root's; the root itself. */
  readonly held: number;
  readonly reached: ReadonlySet<number>;
}

function heldRows(all: Constraints): readonly Held[] {
  return [...cascades(all)].flatMap(([root, reached]) =>
    [root, ...reached].map((held) => ({ root, held, reached })),
  );
}

// NO ACTION is checked at the end of the statement: what the same cascade deletes does not hold it up. Of the row itself,
// another key of the same table points at other rows.
function blockers(all: Constraints, at: Held): readonly Constraint[] {
  return all.pointingAt(at.held).filter(({ relation, onDelete, inherited }) => {
    if (onDelete !== 'a' || inherited || relation === at.held) return false;
    return at.held === at.root || (relation !== at.root && !at.reached.has(relation));
  });
}

function blocked(
  { root, held, by }: { readonly root: Relation; readonly held: Relation; readonly by: Relation },
  key: Constraint,
): Draft {
  const direct = root.oid === held.oid;
  const also = direct ? '' : `, and with it, by cascade, those of ${held.schema}.${held.name}`;
  return {
    subject: partSubject('foreign key', key.name, by),
    severity: direct ? 'info' : 'warning',
    what: `It points at ${held.schema}.${held.name} without ON DELETE; other tables go with a row of ${root.schema}.${root.name} by ON DELETE CASCADE.`,
    effect: `Deleting a row of ${root.schema}.${root.name}${also} fails once a row of ${by.name} points there: violates foreign key constraint "${key.name}" on table "${by.name}".`,
    mend: [],
    advice: `Make it again with ON DELETE CASCADE where the row belongs to ${held.name}, with SET NULL where it only names it, or with RESTRICT where it is to stay.`,
  };
}

export const setNullRefused: TrapCheck = {
  code: 'HT606',
  name: 'set-null-refused',
  title: 'ON DELETE SET NULL on a column that refuses NULL',
  severity: 'error',
  traps: ['B4-24', 'BX-13'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(constraints)).all.flatMap((key): readonly Draft[] => {
      const table = byOid(key.relation);
      if (key.kind !== 'f' || key.inherited || key.onDelete !== 'n' || table === undefined) return [];
      const named = /ON DELETE SET NULL \(([^)]*)\)/.exec(key.definition)?.[1];
      const set = key.columns.filter((column) => named === undefined || named.split(', ').includes(column));
      const refusing = table.columns.filter(({ name, notNull }) => notNull && set.includes(name));
      if (refusing.length === 0) return [];
      const columns = refusing.map(({ name }) => name);
      return [
        {
          subject: partSubject('foreign key', key.name, table),
          what: `ON DELETE SET NULL sets ${columns.join(', ')}, which ${columns.length === 1 ? 'is' : 'are'} NOT NULL.`,
          effect: `No row that is pointed at can be deleted: null value in column "${columns[0]}" of relation "${table.name}" violates not-null constraint.`,
          mend: columns.map(
            (column) => `ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column)} DROP NOT NULL`,
          ),
          advice:
            'Where the column must have a value, the other way: make the key again with CASCADE or RESTRICT, or name the columns to set, ON DELETE SET NULL (column).',
        },
      ];
    });
  },
  page: {
    what: 'A foreign key with `ON DELETE SET NULL` over a column with NOT NULL, often the tenant column of a composite key.',
    effect:
      'Every delete of a row that is pointed at fails: `null value in column "…" of relation "…" violates not-null constraint`.',
    mend: 'Drop the NOT NULL, or name the columns that are set (`ON DELETE SET NULL (actor_id)`, from PostgreSQL 15 on), or choose another action.',
  },
};

const TELEMETRY =
  /(?:^|_)(?:metrics?|telemetry|events?|logs?|traces?|samples?|measurements?|hits|views|clicks)(?:_|$)/;
const PEOPLE = /(?:^|_)(?:users?|accounts?|people|persons?|customers?|members?|profiles?)$/;

export const telemetryForeignKey: TrapCheck = {
  code: 'HT607',
  name: 'foreign-key-of-telemetry',
  title: 'A table of measurements or events points at people with a foreign key',
  severity: 'info',
  traps: ['B3-22'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(constraints)).all.flatMap((key): readonly Draft[] => {
      const [table, people] = [byOid(key.relation), byOid(key.references ?? 0)];
      if (key.kind !== 'f' || key.inherited || table === undefined || people === undefined) return [];
      if (!TELEMETRY.test(table.name) || !PEOPLE.test(people.name) || TELEMETRY.test(people.name)) return [];
      return [
        {
          subject: partSubject('foreign key', key.name, table),
          what: `It ties every row of ${table.name} to a row of ${people.schema}.${people.name}.`,
          effect: `Each INSERT locks that row FOR KEY SHARE, and deleting one looks through ${table.kind === 'p' ? 'every partition' : 'the whole table'}.`,
          mend: [],
          advice:
            'Telemetry that is written often keeps the id as a plain column; a foreign key is for what must not outlive its owner.',
        },
      ];
    });
  },
  page: {
    what: '`user_id uuid REFERENCES users ON DELETE SET NULL` on a table of metrics.',
    effect: 'Every insert reads and locks the user’s row; deleting a user updates rows in every partition.',
    mend: 'A plain nullable column, without a foreign key.',
  },
};

export const pointsAtItself: TrapCheck = {
  code: 'HT608',
  name: 'row-may-point-at-itself',
  title: 'A table of pairs takes a row that pairs something with itself',
  severity: 'warning',
  traps: ['B4-28'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table): readonly Draft[] => {
      const pair = pairOf(of(table.oid));
      if (table.parent !== null || pair === undefined) return [];
      const [one, other] = pair;
      const name = ident(`${table.name.slice(0, 40)}_not_itself`);
      return [
        {
          subject: relationSubject(table),
          what: `${one} and ${other} point at the same table, and no CHECK keeps them apart.`,
          effect:
            'A row that depends on itself is stored; so are A to B and B to A, and whoever walks the graph does not come back.',
          mend: [
            `ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${name} CHECK (${ident(one)} <> ${ident(other)}) NOT VALID`,
            `ALTER TABLE ${qualified(table)} VALIDATE CONSTRAINT ${name}`,
          ],
          advice: 'Longer circles need a trigger that walks the graph under a lock.',
        },
      ];
    });
  },
  page: {
    what: '`task_dependencies (task_id, depends_on_task_id)`, both pointing at tasks.',
    effect: 'A→A is stored, and A→B beside B→A: nothing in such a circle is ever ready.',
    mend: '`CHECK (task_id <> depends_on_task_id)`; for longer circles a trigger that walks the graph while it holds a lock.',
  },
};

/** The two columns of a unique pair that point at the same row of one table. */
function pairOf(own: readonly Constraint[]): readonly [string, string] | undefined {
  const keys = own.filter(({ kind }) => kind === 'f');
  const pairs = keys.flatMap((one, at) =>
    keys.slice(at + 1).flatMap((other): (readonly [string, string])[] => {
      if (one.references !== other.references || one.referenced.join() !== other.referenced.join()) return [];
      const apart = one.columns.filter((column) => !other.columns.includes(column));
      const from = other.columns.filter((column) => !one.columns.includes(column));
      const [a, b] = [apart[0], from[0]];
      return apart.length === 1 && from.length === 1 && a !== undefined && b !== undefined ? [[a, b]] : [];
    }),
  );
  return pairs.find(([a, b]) => {
    const unique = own.some(
      ({ kind, columns }) => (kind === 'p' || kind === 'u') && columns.includes(a) && columns.includes(b),
    );
    return (
      unique && !own.some(({ kind, columns }) => kind === 'c' && columns.includes(a) && columns.includes(b))
    );
  });
}

export const namesake: TrapCheck = {
  code: 'HT612',
  name: 'key-with-a-namesake',
  title: 'A foreign key has the name of another column of the table it points at, of another type',
  severity: 'info',
  traps: ['B4-29'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(constraints)).all.flatMap((key): readonly Draft[] => {
      const [table, target] = [byOid(key.relation), byOid(key.references ?? 0)];
      if (key.kind !== 'f' || key.inherited || table === undefined || target === undefined) return [];
      return key.columns.flatMap((column, at) => {
        const own = table.columns.find(({ name }) => name === column);
        const other = target.columns.find(({ name }) => name === column);
        if (own === undefined || other === undefined || key.referenced[at] === column) return [];
        if (own.type === other.type || table.oid === target.oid) return [];
        return {
          subject: partSubject('column', column, table),
          what: `It points at ${target.name}.${key.referenced[at] ?? ''}; ${target.name}.${column} is another thing, of type ${other.type}.`,
          effect: `Whoever joins the two by their common name fails or finds nothing: operator does not exist: ${own.type} = ${bare(other.type)}.`,
          mend: [],
          advice: 'Name a foreign key after the table and column it points at.',
        };
      });
    });
  },
  page: {
    what: '`message_queue.message_id uuid` points at `agent_messages.id`, while `agent_messages.message_id` is a varchar.',
    effect: '`JOIN … USING (message_id)` fails: `operator does not exist: uuid = character varying`.',
    mend: 'Give the column the name of what it points at (`agent_message_id`), or point at the column whose name it has; `ALTER TABLE … RENAME COLUMN` touches the catalogue alone.',
  },
};

function bare(type: string): string {
  return type.replace(/\(.*\)$/, '');
}
