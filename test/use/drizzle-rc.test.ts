// Sessions over drizzle-orm 1.0: the same module path, the other package.
import { defineRelations, eq } from 'drizzle-orm-rc';
import { integer, pgTable, primaryKey, text } from 'drizzle-orm-rc/pg-core';
import { expect, vi } from 'vitest';
import { connect } from '../../src/use/index.ts';
import { definition } from './notebook.ts';
import { expectClean, reaching } from './reach.ts';

vi.mock('drizzle-orm/node-postgres', () => import('drizzle-orm-rc/node-postgres'));

const notes = pgTable(
  'notes',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull(), body: text().notNull() },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
);

/** What the test calls of a 1.0 database; the package's own types speak of 0.45. */
interface Database {
  select: () => {
    from: (table: unknown) => Promise<unknown[]> & { where: (of: unknown) => Promise<unknown[]> };
  };
  insert: (table: unknown) => { values: (row: object) => Promise<unknown> };
  transaction: <R>(body: (tx: Database) => Promise<R>) => Promise<R>;
}

const test = reaching(async (notebook) => ({ url: notebook.url, close: async () => undefined }));

test('statements, transactions and savepoints work on drizzle-orm 1.0', async ({ notebook }) => {
  expect(defineRelations({ notes })).toBeTypeOf('object');
  const clients: Parameters<typeof expectClean>[0]['clients'] = [];
  const app = await connect(definition(undefined, { notes }), notebook.url, {
    maxConnections: 1,
    pool: { onConnect: (client) => void clients.push(client as never) },
  });
  const session = app.session({ tenant: 't1' });
  expect(Object.keys(session.db._)).toContain('relations');
  const db = session.db as unknown as Database;
  expect(await db.select().from(notes).where(eq(notes.id, 2))).toEqual([
    { tenantId: 't1', id: 2, body: 't1 note 2' },
  ]);
  await expect(db.insert(notes).values({ tenantId: 't2', id: 9, body: 'x' })).rejects.toMatchObject({
    cause: { code: '42501' },
  });
  const seen = await db.transaction(async (tx) => {
    const undone = tx.transaction(async (inner) => {
      await inner.insert(notes).values({ tenantId: 't1', id: 9, body: 'undone' });
      await inner.insert(notes).values({ tenantId: 't2', id: 9, body: 'refused' });
    });
    await expect(undone).rejects.toMatchObject({ cause: { code: '42501' } });
    return tx.select().from(notes);
  });
  expect(seen).toHaveLength(5);
  const kept = await session.transaction(async (tx) => tx as unknown as Database);
  await expect(kept.select().from(notes)).rejects.toMatchObject({ cause: { code: 'HF_TRANSACTION_ENDED' } });
  await expectClean({ app: app as never, clients });
  await app.close();
});
