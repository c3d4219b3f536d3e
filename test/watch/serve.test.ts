// The HTTP server against a real database: what it answers, how often it asks, and that it ends.
import { EventEmitter, once } from 'node:events';
import { request } from 'node:http';
import { connect as socketTo } from 'node:net';
import { afterEach, describe, expect } from 'vitest';
import { collect, serve, type ServeOptions, type Serving } from '../../src/watch/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { promtool, run } from './promtool.ts';
import { NOW, sized, sizes, watched, watching, withLedger } from './stage.ts';

const serving: Serving[] = [];
afterEach(async () => {
  for (const one of serving.splice(0)) await one.stop();
});

const clock = { now: () => NOW };

async function start(
  db: TestDatabase,
  options: ServeOptions = {},
  definition = watched(sized('a')),
): Promise<Serving> {
  const one = await serve(definition, db.url, { clock, ...options });
  serving.push(one);
  return one;
}

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly length: number;
  readonly body: string;
}

/** One request on a connection of its own. */
async function ask({ port }: Serving, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((done, failed) => {
    const sent = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('error', failed);
      response.on('end', () => {
        const { 'content-type': type, 'content-length': length } = response.headers;
        done({ status: response.statusCode, type, length: Number(length), body });
      });
    });
    sent.on('error', failed);
    sent.end();
  });
}

describe('what it answers', () => {
  test('the page of metrics, clean for Prometheus', async ({ db }) => {
    const one = await start(db);
    expect(one.url).toBe(`http://127.0.0.1:${one.port}/metrics`);
    const { status, type, length, body } = await ask(one, '/metrics');
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(length).toBe(Buffer.byteLength(body));
    expect(body).toContain('holdfast_sizes_bytes{relation="a"} 1\n');
    expect(body).toContain('holdfast_database_up 1\n');
    if (promtool.there) expect(run(['check', 'metrics'], body)).toEqual({ code: 0, says: '' });
    expect(await ask(one, '/metrics?x=1')).toMatchObject({ status: 200 });
  });

  test('HEAD without a body, and nothing but GET and HEAD of two pages', async ({ db }) => {
    const one = await start(db);
    expect(await ask(one, '/metrics', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask(one, '/metrics', 'POST')).toMatchObject({ status: 405, body: 'only GET and HEAD\n' });
    expect(await ask(one, '/')).toMatchObject({ status: 404, body: 'there are /metrics and /healthz\n' });
    expect(await ask(one, '/metrics/../etc/passwd')).toMatchObject({ status: 404 });
    expect(await ask(one, '//metrics')).toMatchObject({ status: 404 });
  });

  test('/healthz: whether a keeper leads, or what the process that serves says of itself', async ({ db }) => {
    await withLedger(db);
    const one = await start(db);
    expect(await ask(one, '/healthz')).toMatchObject({ status: 503, body: 'no keeper leads\n' });
    await db.query(
      `UPDATE holdfast.lease SET fence = 1, holder = 'k', host = 'h', renewed_at = $1 WHERE name = 'keeper'`,
      [NOW],
    );
    expect(await ask(one, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    const own = await start(db, { healthy: () => false });
    expect(await ask(own, '/healthz')).toMatchObject({ status: 503 });
  });

  test('a page that says so where the database cannot be reached, without its password', async ({ db }) => {
    const wrong = new URL(db.url);
    wrong.pathname = '/nowhere';
    wrong.password = 'geheim-4711';
    const one = await serve(watched(sized('a')), wrong.href, { clock });
    serving.push(one);
    const { status, body } = await ask(one, '/metrics');
    expect(status).toBe(200);
    expect(body).toContain('holdfast_database_up 0\n');
    expect(body).toMatch(/^# database: database postgres:.*\/nowhere: /m);
    expect(body).not.toContain('geheim-4711');
  });
});

describe('how it bears it', () => {
  test('scrapes at once share one look; the next one looks again', async ({ db }) => {
    let looks = 0;
    const counting = watching('sizes', { metrics: [sizes] }, async ({ query }) => {
      looks += 1;
      await query('SELECT pg_sleep(0.3)');
      return [{ metric: sizes.name, labels: { relation: 'a' }, value: looks }];
    });
    const one = await start(db, {}, watched(counting));
    const answers = await Promise.all(Array.from({ length: 20 }, async () => ask(one, '/metrics')));
    expect(
      answers.filter(({ body }) => body.includes('holdfast_sizes_bytes{relation="a"} 1\n')),
    ).toHaveLength(20);
    expect(looks).toBe(1);
    expect((await ask(one, '/metrics')).body).toContain('holdfast_sizes_bytes{relation="a"} 2\n');
  });

  test('more connections than it takes are closed, and those it has are served', async ({ db }) => {
    const one = await start(db);
    const sockets = await Promise.all(
      Array.from(
        { length: 32 },
        async () =>
          new Promise<ReturnType<typeof socketTo>>((done, failed) => {
            const socket = socketTo(one.port, '127.0.0.1', () => done(socket));
            socket.on('error', failed);
          }),
      ),
    );
    await expect(ask(one, '/metrics')).rejects.toThrow(/hang up|ECONNRESET/);
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(async () =>
        ask(one, '/healthz').then(
          ({ status }) => status,
          () => undefined,
        ),
      )
      .toBe(200);
  });

  test('a port that is taken is refused', async ({ db }) => {
    const one = await start(db);
    await expect(serve(watched(), db.url, { port: one.port })).rejects.toMatchObject({
      code: 'HF_WATCH_PORT',
      subject: `127.0.0.1 port ${one.port}`,
      fix: 'Choose another port or host.',
    });
    await expect(serve(watched(), 'http://nowhere')).rejects.toMatchObject({ code: 'HF_URL' });
  });

  test('a signal ends it in the middle of a look, and frees the port', async ({ db }) => {
    const signal = new AbortController();
    const look = new EventEmitter();
    const begun = once(look, 'begun');
    const hangs = watching('hangs', {}, async ({ query }) => {
      look.emit('begun');
      await query('SELECT pg_sleep(2)');
      return [];
    });
    const one = await start(db, { signal: signal.signal }, watched(hangs));
    const scrape = ask(one, '/metrics').then(
      () => 'answered',
      () => 'cut off',
    );
    await begun;
    const from = performance.now();
    signal.abort();
    await one.stopped;
    expect(performance.now() - from).toBeLessThan(1500);
    expect(await scrape).toBe('cut off');
    expect((await start(db, { port: one.port })).port).toBe(one.port);
    // Once the server has ended the statement that was left to it, nothing of the look remains.
    expect((await collect(watched(sized('a')), db.url, { now: NOW })).notes).toEqual([]);
  });

  test('a signal given before it began lets nothing begin', async ({ db }) => {
    const one = await start(db, { signal: AbortSignal.abort() });
    await one.stopped;
    await expect(ask(one, '/metrics')).rejects.toThrow('ECONNREFUSED');
  });
});
