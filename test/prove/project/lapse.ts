// The traffic of the project's definition.
import type { Traffic } from '../../../src/prove/index.ts';

export default (): Traffic => {
  let last = 0;
  return {
    write: async ({ query }, slice) => {
      const times = slice.times(slice.rows);
      const first = last + 1;
      last += times.length;
      await query(
        'INSERT INTO events (id, at) SELECT $2 + n - 1, at::timestamptz FROM unnest($1::text[]) WITH ORDINALITY AS r (at, n)',
        [times, first],
      );
      return [{ relation: { schema: 'public', name: 'events' }, inserted: times.length, deleted: 0 }];
    },
  };
};
