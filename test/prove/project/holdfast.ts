// A definition as a user's project has it, with its traffic beside it in lapse.ts.
import { bigint, pgTable, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import { database } from '../../../src/define/index.ts';
import { partitions } from '../../../src/traits/index.ts';

export const events = pgTable(
  'events',
  {
    id: bigint('id', { mode: 'number' }).notNull(),
    at: timestamp('at', { withTimezone: true }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.id, t.at] })],
);

export default database('lapse_project', {
  tables: { events },
  traits: [partitions(events, { by: 'at', every: 'month' })],
});
