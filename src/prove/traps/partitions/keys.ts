// HT511: a twin that holds the rows. HT512: a trigger that a partition lacks. HT513: an id twice. HT514: a key that may be NULL.
import { ident, qualified } from '../../../sql.ts';
import type { TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { triggers } from '../facts/triggers.ts';
import { ranged } from './ranges.ts';

export const partitionedTwin: TrapCheck = {
  code: 'HT511',
  name: 'partitioned-twin',
  title: 'A partitioned table stands beside a plain one of the same shape',
  severity: 'warning',
  traps: ['B4-02'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const plain = tables.filter(({ kind, parent }) => kind === 'r' && parent === null);
    return tables.flatMap((table) => {
      if (table.kind !== 'p' || table.parent !== null) return [];
      const twin = plain.find((other) => isTwin(other, table));
      if (twin === undefined) return [];
      return {
        subject: relationSubject(table),
        what: `${twin.schema}.${twin.name} has the same columns and is not partitioned.`,
        effect: `Whatever writes to ${twin.name} never reaches a partition of ${table.name}: partitions, archive and retention work on a table without rows.`,
        mend: [],
        advice: `Move the rows and give ${table.name} the name ${twin.name}, both renames in one transaction; then drop the old table.`,
      };
    });
  },
  page: {
    what: '`CREATE TABLE orders_partitioned (LIKE orders …) PARTITION BY RANGE (…)` beside `orders`.',
    effect: 'The application goes on writing to `orders`; no row ever arrives in a partition.',
    mend: 'One table. Copy the rows, then rename both in one transaction.',
  },
};

function isTwin(plain: Relation, partitioned: Relation): boolean {
  if (plain.schema !== partitioned.schema || !partitioned.name.startsWith(`${plain.name}_`)) return false;
  return plain.columns.length > 1 && columns(plain) === columns(partitioned);
}

function columns(of: Relation): string {
  return JSON.stringify(of.columns.map(({ name }) => name).toSorted());
}

export const partitionTriggerOff: TrapCheck = {
  code: 'HT512',
  name: 'partition-trigger-off',
  title: 'A trigger of a partitioned table is switched off on a partition',
  severity: 'error',
  traps: ['B1-06', 'BX-06'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    const { of } = await facts(triggers);
    return tables.flatMap((table) => {
      if (table.parent === null) return [];
      const above = new Map(of(root(table).oid).map(({ name, enabled }) => [name, enabled]));
      return of(table.oid).flatMap(({ name, enabled, inherited }) => {
        const wanted = above.get(name);
        if (!inherited || enabled !== 'D' || wanted === undefined || wanted === 'D') return [];
        const how = { O: '', R: 'REPLICA ', A: 'ALWAYS ' }[wanted];
        return {
          subject: `trigger ${name} on ${table.schema}.${table.name}`,
          what: `It is disabled on this partition and enabled on ${root(table).name}.`,
          effect: 'Rows of this partition change without it, also through the parent.',
          mend: [`ALTER TABLE ${qualified(table)} ENABLE ${how}TRIGGER ${ident(name)}`],
          advice: 'Look at what was changed while it was off.',
        };
      });
    });
  },
  page: {
    what: '`ALTER TABLE orders_2026_03 DISABLE TRIGGER …` for a repair, and nobody switched it on again.',
    effect: 'Row triggers fire per partition: a guard against UPDATE or DELETE does not exist there.',
    mend: '`ALTER TABLE … ENABLE TRIGGER …` on the partition.',
  },
};

export const idNotUnique: TrapCheck = {
  code: 'HT513',
  name: 'id-not-unique',
  title: 'The id of a partitioned table is unique only together with its partition key',
  severity: 'info',
  traps: ['BX-23', 'B3-02'],
  find: async ({ facts }) => {
    const { of } = await facts(constraints);
    return (await facts(ranged)).flatMap(({ table, column }) => {
      if (table.parent !== null) return [];
      const keys = of(table.oid).filter(({ kind }) => kind === 'p' || kind === 'u');
      const key = keys.find(({ columns }) => columns.includes('id') && columns.includes(column));
      if (key === undefined) return [];
      return {
        subject: relationSubject(table),
        what: `Its key is (${key.columns.join(', ')}).`,
        effect: `The same id may be stored again with another ${column}, and a foreign key to id alone is refused: there is no unique constraint matching given keys for referenced table "${table.name}".`,
        mend: [],
        advice:
          'Take ids that nobody else gives out (an identity, a UUID of version 7), and refer to the whole key.',
      };
    });
  },
  page: {
    what: '`PRIMARY KEY (id, created_at)` on a partitioned table, because a unique key must contain the partition key.',
    effect:
      'The database no longer keeps `id` unique by itself: the same id with another time is accepted. A foreign key to `id` alone is refused: `there is no unique constraint matching given keys for referenced table`.',
    mend: 'Generate ids so that none is given out twice, and let references carry both columns.',
  },
};

export const nullablePartitionKey: TrapCheck = {
  code: 'HT514',
  name: 'partition-key-may-be-null',
  title: 'The column a table is partitioned by may be NULL',
  severity: 'warning',
  traps: ['B3-02'],
  find: async ({ facts }) =>
    (await facts(ranged)).flatMap(({ table, column, notNull, fallback }) => {
      if (notNull || fallback !== undefined) return [];
      return {
        subject: relationSubject(table),
        what: `It is partitioned by ${column}, which may be NULL.`,
        effect: `A row without ${column} has no place: no partition of relation "${table.name}" found for row.`,
        mend: [`ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column)} SET NOT NULL`],
        advice: 'No row can hold a NULL there, so the statement cannot fail; it reads every partition once.',
      };
    }),
  page: {
    what: 'A table partitioned by range of a column that has no NOT NULL.',
    effect:
      'A range partition never holds a NULL: the row is refused with `no partition of relation "…" found for row`, which says nothing of the NULL.',
    mend: '`ALTER TABLE … ALTER COLUMN … SET NOT NULL`.',
  },
};
