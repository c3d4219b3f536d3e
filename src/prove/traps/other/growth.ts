// HT903: migrations that are not checked. HT904: a table too large to be partitioned easily.
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';

export const migrationsUnchecked: TrapCheck = {
  code: 'HT903',
  name: 'migrations-unchecked',
  title: 'The record of migrations knows their names alone',
  severity: 'info',
  traps: ['B4-32'],
  find: async ({ facts }) =>
    (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      if (!/^(?:schema_)?(?:migrations|versions)$|^schema_version$/.test(table.name)) return [];
      if (!table.columns.some(({ name }) => /version|name|filename/.test(name))) return [];
      if (table.columns.some(({ name }) => /checksum|hash|digest|sha/.test(name))) return [];
      return [
        {
          subject: relationSubject(table),
          what: `It holds ${table.columns.map(({ name }) => name).join(', ')} and no checksum.`,
          effect:
            'A migration that was changed after it ran, or that found IF NOT EXISTS satisfied by something else, is recorded all the same; what the database holds is not what the files say.',
          mend: [],
          advice:
            'Record what was run with its checksum, and hold the catalogue against the definition; no IF NOT EXISTS in a migration.',
        },
      ];
    }),
  page: {
    what: '`schema_migrations (version, applied_at)`.',
    effect:
      'Nothing tells whether the file of that name is still the one that ran. `ADD COLUMN IF NOT EXISTS` accepts a column of another type, and the rollback drops what it did not make.',
    mend: 'Name, checksum, duration, and a comparison of catalogue and definition.',
  },
};

/** From here on every way to partition a table takes hours. */
const MANY_ROWS = 10_000_000;

export const largeUnpartitioned: TrapCheck = {
  code: 'HT904',
  name: 'large-and-not-partitioned',
  title: 'A large table of events is not partitioned, and its key does not hold its time',
  severity: 'info',
  traps: ['B2-14'],
  find: async ({ facts }) => {
    const { of } = await facts(constraints);
    return (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      if (table.kind !== 'r' || table.parent !== null || table.rowsEstimate < MANY_ROWS) return [];
      const time = table.columns.find(
        ({ name, type }) =>
          type.startsWith('timestamp') &&
          /^(?:created|inserted|occurred|recorded|logged|event)_at$|^timestamp$|^ts$|^at$/.test(name),
      )?.name;
      const key = of(table.oid).find(({ kind }) => kind === 'p');
      if (time === undefined || key === undefined || key.columns.includes(time)) return [];
      return [
        {
          subject: relationSubject(table),
          what: `It holds about ${Math.round(table.rowsEstimate / 1e6)} million rows; its key is (${key.columns.join(', ')}).`,
          effect: `It cannot become partitioned in place: that takes a new table, a key with ${time} in it, and a copy. Until then rows leave one by one with DELETE, and VACUUM reads it whole.`,
          mend: [],
          advice:
            'Attach it as one partition of a new table, with a validated CHECK on its time, and let new rows go to partitions of months.',
        },
      ];
    });
  },
  page: {
    what: 'A table of events that was to be partitioned “later”.',
    effect:
      'Partitioning needs `PRIMARY KEY (id, created_at)` and a rewrite; an existing table cannot become partitioned in place.',
    mend: 'Attach the old table as one partition, with a CHECK validated beforehand.',
  },
};
