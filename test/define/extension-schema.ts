// Columns whose types come with an extension that few machines have; lowered, not loaded. Drizzle 0.45 forgets a
// geometry's srid before anyone can read it, so none is given.
import {
  bit,
  geometry,
  halfvec,
  index,
  integer,
  pgTable,
  sparsevec,
  text,
  vector,
} from 'drizzle-orm/pg-core';

export const places = pgTable(
  'places',
  {
    id: integer('id').primaryKey(),
    embedding: vector('embedding', { dimensions: 3 }),
    half: halfvec('half', { dimensions: 4 }),
    sparse: sparsevec('sparse', { dimensions: 5 }),
    bits: bit('bits', { dimensions: 6 }),
    where: geometry('where', { type: 'point', mode: 'xy' }),
    tuple: geometry('tuple', { type: 'point' }),
    name: text('name'),
  },
  (t) => [
    index('places_near').using('hnsw', t.embedding.op('vector_cosine_ops')).with({ m: 16 }),
    index('places_name').using('gin', t.name.op('gin_trgm_ops')),
    index('places_where').using('gist', t.where),
  ],
);
