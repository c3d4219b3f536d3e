// How a session test reaches the server: a notebook per file, applications that are closed after each test, and a look
// at their connections from below.
import type pg from 'pg';
import { expect } from 'vitest';
import type { Connected, ConnectOptions } from '../../src/use/index.ts';
import { connect } from '../../src/use/index.ts';
import { test as base } from '../cluster/index.ts';
import { definition, openNotebook, tables } from './notebook.ts';
import type { Notebook } from './notebook.ts';

type App = Connected<typeof tables>;

/** An application over the notebook that also shows the raw connections of its pool. */
export interface Opened {
  readonly app: App;
  readonly clients: pg.PoolClient[];
}

/** How the suite reaches the server: gives the application's connection string, and puts things away. */
export type Reach = (notebook: Notebook) => Promise<{ url: string; close: () => Promise<void> }>;

/** vitest's `test` with `{ notebook, open }`; every application opened is closed after its test. */
export const reaching = (reach: Reach) =>
  base
    .extend<{ notebook: Notebook & { reached: string } }>({
      notebook: [
        async ({ db }, use) => {
          const notebook = await openNotebook(db);
          const { url, close } = await reach(notebook);
          await use({ ...notebook, reached: url });
          await close();
          await notebook.drop();
        },
        { scope: 'file' },
      ],
    })
    .extend<{ open: (options?: ConnectOptions) => Promise<Opened> }>({
      open: async ({ notebook }, use) => {
        const apps: App[] = [];
        await use(async (options = {}) => {
          const clients: pg.PoolClient[] = [];
          const onConnect = (client: pg.ClientBase): void => {
            clients.push(client as pg.PoolClient);
            client.once('end', () => clients.splice(clients.indexOf(client as pg.PoolClient), 1));
          };
          const pool = { ...options.pool, onConnect };
          const app = await connect(definition(), notebook.reached, { ...options, pool });
          apps.push(app);
          return { app, clients };
        });
        for (const app of apps) await app.close();
      },
    });

export type ReachingTest = ReturnType<typeof reaching>;

const CLEAN = `SELECT nullif(current_setting('app.current_tenant_id', true), '') AS tenant,
  (SELECT count(*)::int FROM notes) AS seen`;

/** Looks at the pool's connections from below: none may carry a tenant or be inside a transaction. */
export async function expectClean({ clients }: Opened): Promise<void> {
  for (const client of clients) {
    expect(client.getTransactionStatus()).toBe('I');
    const { rows } = await client.query(CLEAN);
    expect(rows).toEqual([{ tenant: null, seen: 0 }]);
  }
}
