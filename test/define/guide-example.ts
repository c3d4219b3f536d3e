import { sql } from 'drizzle-orm';
import {
  customType,
  foreignKey,
  index,
  integer,
  pgMaterializedView,
  pgRole,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
} from 'drizzle-orm/pg-core';
import {
  collate,
  comment,
  covering,
  database,
  deferrable,
  exclusion,
  extension,
  grant,
  key,
  on,
  onDeleteSetOnly,
  statement,
  storage,
  trigger,
} from 'holdfast/define';

const tstzrange = customType<{ data: string }>({ dataType: () => 'tstzrange' });

export const desk = pgRole(`front_desk_${process.env['VITEST_POOL_ID'] ?? ''}`);

export const rooms = pgTable(
  'rooms',
  {
    hotel: integer('hotel').notNull(),
    number: integer('number').notNull(),
    name: text('name').notNull(),
    floor: integer('floor'),
  },
  (t) => [
    primaryKey({ columns: [t.hotel, t.number] }),
    unique('rooms_name').on(t.hotel, t.name),
    index('rooms_by_floor').on(t.hotel, t.floor),
  ],
);

export const bookings = pgTable(
  'bookings',
  {
    hotel: integer('hotel').notNull(),
    id: integer('id').notNull(),
    room: integer('room'),
    during: tstzrange('during').notNull(),
    touchedAt: timestamp('touched_at', { withTimezone: true }),
  },
  (t) => [
    primaryKey({ columns: [t.hotel, t.id] }),
    foreignKey({
      name: 'bookings_room',
      columns: [t.hotel, t.room],
      foreignColumns: [rooms.hotel, rooms.number],
    }).onDelete('set null'),
  ],
);

export const occupancy = pgMaterializedView('occupancy').as((query) =>
  query
    .select({ hotel: bookings.hotel, n: sql<number>`count(*)`.as('n') })
    .from(bookings)
    .groupBy(bookings.hotel),
);

export default database('hotel', {
  tables: { desk, rooms, bookings, occupancy },
  facets: [
    extension('btree_gist'),
    statement(
      'function public.touch()',
      `CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
         BEGIN NEW.touched_at := now(); RETURN NEW; END $$`,
    ),
    on(rooms, (t) => [
      comment('Every room that can be sold'),
      comment('As guests say it', t.name),
      comment('For the cleaning list', { index: 'rooms_by_floor' }),
      collate(t.name, 'C'),
      covering('rooms_by_floor', t.name),
      deferrable('rooms_name'),
      storage({ fillfactor: 90 }),
    ]),
    on(bookings, (t) => [
      exclusion('bookings_overlap', {
        elements: [
          [t.hotel, '='],
          [t.room, '='],
          [t.during, '&&'],
        ],
        where: sql`room IS NOT NULL`,
      }),
      onDeleteSetOnly('bookings_room', t.room),
      trigger('touch', { fires: 'before', events: ['update'], of: [t.during], execute: 'public.touch()' }),
    ]),
    on(occupancy, (v) => [key('occupancy_key', v.hotel)]),
    grant(['select', 'insert', 'update (room, during)'], { on: bookings, to: desk }),
  ],
});
