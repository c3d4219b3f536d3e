// `holdfast archive hold | holds | release` as an operator types it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { test } from '../cluster/index.ts';
import { fill, openShop, sumOf, turn } from './retention-stand.ts';

const NOW = new Date('2026-05-02T01:00:00Z');

test('a hold is placed, listed, kept and released', async ({ db }) => {
  const { definition, table } = await openShop(db, 'typed', { online: '90 days', then: 'delete' });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
  const inserted = await sumOf(db, [table]);
  const cwd = await mkdtemp(join(tmpdir(), 'retention-command-'));
  Object.assign(globalThis, { typedShop: definition });
  await writeFile(join(cwd, 'holdfast.ts'), `export default globalThis['typedShop'];`);
  const holdfast = async (...args: string[]): Promise<string> => {
    const said: string[] = [];
    const stream = (): Writable =>
      new Writable({ write: (chunk: Buffer, _, done) => (said.push(chunk.toString()), done()) });
    const code = await main({
      argv: ['archive', ...args],
      cwd,
      env: { DATABASE_URL: db.url },
      terminal: { out: stream(), err: stream(), colour: false, now: () => 0 },
      signal: new AbortController().signal,
      now: () => NOW,
    });
    return `${code} ${said.join('').trimEnd()}`;
  };
  try {
    expect(await holdfast('holds')).toBe('0 no hold is in force');
    const placed = await holdfast(
      'hold',
      'case 7',
      '--tenant',
      'a',
      '--to',
      '2026-01-03',
      '--why',
      'subpoena',
    );
    expect(placed).toBe('0 case 7  every table  tenant a  to 2026-01-03  subpoena');
    expect(await holdfast('holds')).toBe(placed);
    await turn(db, definition, { now: NOW });
    expect(await sumOf(db, [table])).toEqual(inserted);
    expect(await holdfast('hold', 'x', '--tenant', 'a')).toContain('HF_HOLD_OPTIONS');
    expect(await holdfast('hold', 'x', '--table', 'orders', '--why', 'y')).toContain(
      '"orders" is no schema.name',
    );
    expect(await holdfast('hold', 'x', '--from', 'May', '--why', 'y')).toContain('HF_ARCHIVE_RANGE');
    expect(await holdfast('hold', 'case 7', '--why', 'again')).toContain('HF_HOLD_EXISTS');
    expect(await holdfast('release', 'case 7')).toMatch(/^0 'case 7' is released/);
    await turn(db, definition, { now: NOW });
    expect((await sumOf(db, [table])).rows).toBe(inserted.rows - 62);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
});
