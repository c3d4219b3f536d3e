// The same suite through PgBouncer in transaction mode, where two server connections serve all clients.
import { describe, expect } from 'vitest';
import { installedVersion, startBouncer } from './bouncer.ts';
import { conformance } from './conformance.ts';
import { reaching } from './reach.ts';

const version = installedVersion();

const test = reaching((notebook) => startBouncer(notebook.url));

describe.skipIf(version === undefined)(`through PgBouncer ${version ?? '(not installed)'}`, () => {
  conformance(test);

  test('sessions really share server connections', async ({ open }) => {
    const { app } = await open({ maxConnections: 8 });
    const work = Array.from({ length: 64 }, (_, index) =>
      app.session({ tenant: `t${index % 40}` }).query<{ pid: number }>('SELECT pg_backend_pid() AS pid'),
    );
    const pids = new Set((await Promise.all(work)).map((result) => result.rows[0]?.pid));
    expect(pids.size).toBeLessThanOrEqual(2);
  });
});
