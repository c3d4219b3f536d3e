import { expect } from 'vitest';
import type { CopyValue } from '../../../src/define/index.ts';
import { chanceOf } from '../../../src/prove/budgets/chance.ts';
import { copyIn } from '../../../src/prove/budgets/copy-in.ts';
import { withClient } from '../../../src/server/index.ts';
import { test } from '../../cluster/index.ts';

const SPECIAL = [
  '\\',
  '\t',
  '\n',
  '\r',
  '\\N',
  '\\.',
  '"',
  "'",
  ',',
  '\b',
  '\f',
  '\v',
  '\u0001',
  'é',
  '😀',
  ' ',
  '',
];

test('every text comes out as it went in, whatever is in it', async ({ db }) => {
  await db.query('CREATE TABLE texts (n int PRIMARY KEY, "a column" text)');
  const chance = chanceOf(1, 1);
  const texts = Array.from({ length: 5_000 }, (_, n) =>
    n < SPECIAL.length
      ? (SPECIAL[n] ?? '')
      : Array.from(
          { length: Math.floor(chance() * 8) },
          () => SPECIAL[Math.floor(chance() * SPECIAL.length)],
        ).join(''),
  );
  const rows = await withClient(db.url, (client) =>
    copyIn(
      client,
      { into: { schema: 'public', name: 'texts' }, columns: ['n', 'a column'] },
      texts.map((text, n) => [n, text]),
    ),
  );
  expect(rows).toBe(texts.length);
  const found = await db.query<{ text: string }>('SELECT "a column" AS text FROM texts ORDER BY n');
  expect(found.map(({ text }) => text)).toEqual(texts);
});

test('values of every kind arrive as what they are', async ({ db }) => {
  await db.query(
    'CREATE TABLE kinds (i int, b bigint, f float8, yes boolean, at timestamptz, raw bytea, doc jsonb, list jsonb, none text)',
  );
  const at = new Date('2026-11-21T12:34:56.789Z');
  const doc = { text: 'a\t"b"\\c', nested: [1, null, true] };
  const row: readonly CopyValue[] = [
    -7,
    9_007_199_254_740_993n,
    0.1,
    false,
    at,
    Buffer.from([0, 255, 92, 9]),
    doc,
    ['x', 2],
    null,
  ];
  await withClient(db.url, (client) =>
    copyIn(
      client,
      {
        into: { schema: 'public', name: 'kinds' },
        columns: ['i', 'b', 'f', 'yes', 'at', 'raw', 'doc', 'list', 'none'],
      },
      [row],
    ),
  );
  expect(await db.query('SELECT * FROM kinds')).toEqual([
    {
      i: -7,
      b: '9007199254740993',
      f: 0.1,
      yes: false,
      at,
      raw: Buffer.from([0, 255, 92, 9]),
      doc,
      list: ['x', 2],
      none: null,
    },
  ]);
});

function* numbers(count: number, at: (n: number) => CopyValue): Generator<readonly CopyValue[]> {
  for (let n = 0; n < count; n += 1) yield [at(n)];
}

test('a copy that fails on either side leaves no row, and a session that can go on', async ({ db }) => {
  await db.query('CREATE TABLE numbers (n int CHECK (n <> 70000))');
  const target = { into: { schema: 'public', name: 'numbers' }, columns: ['n'] };
  await withClient(db.url, async (client) => {
    await expect(
      copyIn(
        client,
        target,
        numbers(1_000_000, (n) => n),
      ),
    ).rejects.toMatchObject({ code: '23514' });
    const broken = numbers(200_000, (n) => {
      if (n === 100_000) throw new Error('the rows ran out');
      return n % 1_000;
    });
    await expect(copyIn(client, target, broken)).rejects.toThrow('the rows ran out');
    await expect(copyIn(client, { ...target, columns: ['m'] }, [[1]])).rejects.toMatchObject({
      code: '42703',
    });
    expect(await copyIn(client, target, [])).toBe(0);
    expect(
      await copyIn(
        client,
        target,
        numbers(50_000, (n) => n),
      ),
    ).toBe(50_000);
  });
  expect(await db.query('SELECT count(*)::int AS rows FROM numbers')).toEqual([{ rows: 50_000 }]);
});
