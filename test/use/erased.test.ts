// A process hears that rows were erased, or knows that it may have missed it.
import { createServer, connect as dial, type AddressInfo, type Socket } from 'node:net';
import { Client } from 'pg';
import { expect, onTestFinished } from 'vitest';
import { ERASED_CHANNEL } from '../../src/define/index.ts';
import { onErased, type ErasedNews } from '../../src/use/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { installedVersion, startBouncer } from './bouncer.ts';

async function say(db: TestDatabase, payload: string): Promise<void> {
  await db.query('SELECT pg_notify($1, $2)', [ERASED_CHANNEL, payload]);
}

/** A line that can go dead: packets are swallowed, and nobody is told. */
async function deadLine(url: string): Promise<{ readonly url: string; readonly die: () => void }> {
  const to = new URL(url);
  const sockets: Socket[] = [];
  let dead = false;
  const server = createServer((client) => {
    const upstream = dial(Number(to.port), to.hostname);
    // Of a line that is there again nothing is swallowed.
    const own = { dead: (): boolean => dead && sockets.indexOf(client) < 2 };
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('data', (chunk) => own.dead() || upstream.write(chunk));
    upstream.on('data', (chunk) => own.dead() || client.write(chunk));
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  return { url: through.href, die: () => (dead = true) };
}

test('is told what was erased; whatever else is said means to forget too', async ({ db }) => {
  const news: ErasedNews[] = [];
  const ear = await onErased(db.url, (one) => news.push(one));
  await say(db, '{"definition":"shop","subject":"person"}');
  await say(db, 'nonsense');
  await expect.poll(() => news.length, { timeout: 5_000, interval: 5 }).toBe(2);
  expect(news).toEqual([{ why: 'erased', definition: 'shop', subject: 'person' }, { why: 'missed' }]);
  await ear.close();
  await say(db, '{"definition":"shop","subject":"person"}');
  expect(news).toHaveLength(2);
});

test('a line that goes dead without a word is noticed, and listened to again', async ({ db }) => {
  const line = await deadLine(db.url);
  const news: ErasedNews[] = [];
  const ear = await onErased(line.url, (one) => news.push(one), { beatMs: 50, retryMs: 10 });
  onTestFinished(() => ear.close());
  line.die();
  await say(db, '{"definition":"shop","subject":"person"}');
  await expect.poll(() => news.length, { timeout: 10_000, interval: 10 }).toBe(2);
  expect(news).toEqual([{ why: 'missed' }, { why: 'missed' }]);
  await say(db, '{"definition":"shop","subject":"tenant"}');
  await expect.poll(() => news.length, { timeout: 5_000, interval: 5 }).toBe(3);
  expect(news[2]).toEqual({ why: 'erased', definition: 'shop', subject: 'tenant' });
});

test.skipIf(installedVersion() === undefined)(
  'a pooler is refused: what is said would not reach its clients',
  async ({ db }) => {
    const role = db.role('ear');
    const client = new Client(db.url);
    await client.connect();
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'only-for-tests'`);
    await client.end();
    const bouncer = await startBouncer(db.urlAs(role, 'only-for-tests'));
    onTestFinished(() => bouncer.close());
    await expect(onErased(bouncer.url, () => undefined)).rejects.toMatchObject({ code: 'HF_LISTEN_POOLED' });
  },
);
