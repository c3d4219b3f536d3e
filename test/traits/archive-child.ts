// A process that writes a piece and kills itself before or after the store did one thing.
import { Client } from 'pg';
import type { TaskContext } from '../../src/define/job.ts';
import type { CatalogueQuery } from '../../src/define/trait.ts';
import { archiveFiles } from '../../src/traits/retention/files/index.ts';
import { folderStore } from '../../src/traits/retention/files/folder-store.ts';
import type { Store } from '../../src/traits/retention/files/store.ts';

const client = new Client(process.env['ARCHIVE_URL']);
await client.connect();
const query: CatalogueQuery = async (sql, values) => (await client.query(sql, values && [...values])).rows;
const context = {
  model: { name: 'shop' },
  now: new Date('2026-06-01T00:00:00Z'),
  signal: new AbortController().signal,
  session: {
    query,
    transaction: async (work: (query: CatalogueQuery) => Promise<unknown>) => {
      await client.query('BEGIN');
      const result = await work(query);
      await client.query('COMMIT');
      return result;
    },
  },
  tell: () => undefined,
} as unknown as TaskContext;
const moment = Number(process.env['ARCHIVE_MOMENT']);
let moments = 0;

function pass(): void {
  moments += 1;
  if (moments === moment) process.kill(process.pid, 'SIGKILL');
}

/** Each verb of the store is two moments: just before it and just after it. */
function dying<Given extends unknown[], Result>(
  verb: (...given: Given) => Promise<Result>,
): (...given: Given) => Promise<Result> {
  return async (...given) => {
    pass();
    const result = await verb(...given);
    pass();
    return result;
  };
}

const store = folderStore(process.env['ARCHIVE_ROOT'] ?? '');
const mortal: Store = {
  shown: store.shown,
  get: dying(store.get),
  tidy: dying(store.tidy),
  list: dying(store.list),
  draft: store.draft,
  put: dying(store.put),
  remove: dying(store.remove),
};
await archiveFiles(mortal).write(
  context,
  {
    of: { schema: 'public', name: 'orders' },
    range: {
      column: 'created_at',
      from: new Date('2026-01-01T00:00:00Z'),
      to: new Date('2026-02-01T00:00:00Z'),
    },
    serial: moment,
  },
  { schema: 'public', name: 'orders_2026_01' },
);
await client.end();
