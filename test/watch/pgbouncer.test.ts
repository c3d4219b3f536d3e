// Looks through PgBouncer in transaction mode: settings of a look must not stay with the sessions of others.
import { Client } from 'pg';
import { describe, expect } from 'vitest';
import { collect } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { installedVersion, startBouncer } from '../use/bouncer.ts';
import { NOW, sized, watched, watching, withLedger } from './stage.ts';

const version = installedVersion();

describe.skipIf(version === undefined)(`through PgBouncer ${version ?? '(not installed)'}`, () => {
  test('looks side by side, one that fails among them, leave every server session as it was', async ({
    db,
  }) => {
    await withLedger(db);
    const bouncer = await startBouncer(db.url);
    try {
      const fails = watching('fails', {}, async ({ query }) => {
        await query('SELECT * FROM nowhere');
        return [];
      });
      const definition = watched(sized('a'), fails, sized('b'));
      const looks = await Promise.all(
        Array.from({ length: 8 }, async () => collect(definition, bouncer.url, { now: NOW })),
      );
      for (const { notes, samples } of looks) {
        expect(notes.map(({ collector }) => collector)).toEqual(['fails']);
        expect(samples.filter(({ metric }) => metric === 'holdfast_sizes_bytes')).toHaveLength(2);
      }
      const settings = new Set<string>();
      for (let asked = 0; asked < 6; asked += 1) {
        const client = new Client(bouncer.url);
        await client.connect();
        const { rows } = await client.query<{ so: string }>(
          `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
             current_setting('default_transaction_read_only'), current_setting('search_path')) AS so`,
        );
        settings.add(rows[0]?.so ?? '');
        await client.end();
      }
      expect([...settings]).toEqual(['0 0 off "$user", public']);
    } finally {
      await bouncer.close();
    }
  });
});
