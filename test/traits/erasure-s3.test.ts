// Archived files in an S3-compatible bucket are written anew without the subject's rows.
import { createRequire } from 'node:module';
import { expect, onTestFinished, vi } from 'vitest';
import { s3 } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { erasing, leftOf, markOf, openHouse, othersSum, ownFolder } from './erasure-stand.ts';

interface Rver {
  readonly run: () => Promise<{ readonly port: number }>;
  readonly close: () => Promise<void>;
}

test('a person and then a tenant, in a bucket', async ({ db }) => {
  const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Rver;
  const root = ownFolder();
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: root,
    configureBuckets: [{ name: 'house-archive' }],
  });
  const { port } = await server.run();
  onTestFinished(() => server.close());
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'S3RVER');
  onTestFinished(() => void vi.unstubAllEnvs());
  const store = s3({ bucket: `http://127.0.0.1:${port}/house-archive`, region: 'us-east-1' });
  const house = await openHouse(db, 'house_bucket', { people: 2, archive: { store, root } });
  const erase = (subject: string) =>
    erasing(house, (context) => house.eraser.erase(context, { subject, basis: 'GDPR art. 17' }));
  const pieces = (await store.list('house_bucket')).length;
  const others = await othersSum(house, { tenant: 'acmeco', person: 2 });
  const { counts } = await erase('person:acmeco/2');
  expect(counts).toContainEqual({
    place: 'archive files of house_bucket.events',
    rows: expect.any(Number) as number,
    files: 2,
  });
  expect(await leftOf(house, markOf('acmeco', 2))).toEqual([]);
  expect(await othersSum(house, { tenant: 'acmeco', person: 2 })).toBe(others);
  expect(await store.list('house_bucket')).toHaveLength(pieces);
  await erase('tenant:acmeco');
  expect(await leftOf(house, 'acmeco')).toEqual([]);
  expect(await store.list('house_bucket')).toHaveLength(pieces);
  // Nobody is left: the files go.
  await erase('tenant:birdco');
  expect(await store.list('house_bucket')).toEqual([]);
});
