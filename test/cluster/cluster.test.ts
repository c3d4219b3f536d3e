import { expect } from 'vitest';
import { test } from './index.ts';

test('each file has a database of its own on a real server', async ({ db }) => {
  const [row] = await db.query<{ name: string }>('SELECT current_database() AS name');
  expect(row?.name).toBe(db.name);
});
