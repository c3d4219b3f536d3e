// A real Prometheus that scrapes a real page and reads the written rules: what it makes of both.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { describe, expect, onTestFinished } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import { alertRules, rulesOf, serve, type Serving } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { sized, watched, withLedger } from './stage.ts';

const there = spawnSync('prometheus', ['--version']).status === 0;
const missing = there ? '' : ' (prometheus is not installed: not tested here)';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts Prometheus on one target, scraped and judged every second; gives its API. */
async function prometheus(serving: Serving, definition: Definition): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-prometheus-'));
  const port = await freePort();
  writeFileSync(join(dir, 'holdfast.rules.yml'), alertRules(definition));
  writeFileSync(
    join(dir, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(dir, 'holdfast.rules.yml')],
      scrape_configs: [
        {
          job_name: 'databases',
          static_configs: [{ targets: [`127.0.0.1:${serving.port}`], labels: { database: 'shop' } }],
        },
      ],
    }),
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  });
  return `http://127.0.0.1:${port}/api/v1`;
}

interface Answer {
  readonly data?: {
    readonly result?: readonly { readonly metric: Readonly<Record<string, string>> }[];
    readonly groups?: readonly { readonly rules: readonly Judged[] }[];
  };
}

interface Judged {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}

async function ask(url: string): Promise<Answer> {
  return fetch(url, { headers: { connection: 'close' } }).then(
    async (response) => (await response.json()) as Answer,
    () => ({}),
  );
}

describe.skipIf(!there)(`Prometheus${missing}`, () => {
  test('keeps every label as it is, can evaluate every rule, and sees that no keeper leads', async ({
    db,
  }) => {
    await withLedger(db);
    const definition = watched(sized('public.orders', 200));
    const serving = await serve(definition, db.url);
    onTestFinished(async () => serving.stop());
    const api = await prometheus(serving, definition);
    const instance = `127.0.0.1:${serving.port}`;
    const judged = async (): Promise<readonly Judged[]> =>
      (await ask(`${api}/rules`)).data?.groups?.flatMap(({ rules }) => rules) ?? [];
    const pending = async (): Promise<string[]> =>
      (await judged()).filter(({ state }) => state === 'pending').map(({ name }) => name);
    await expect
      .poll(pending, { timeout: 20_000, interval: 250 })
      .toEqual(['HoldfastKeeperMissing', 'HoldfastJobUnscheduled', 'HoldfastSizesGrown']);
    const rules = await judged();
    expect(rules.map(({ name }) => name)).toEqual(rulesOf(definition).map(({ name }) => name));
    expect(rules.filter(({ health, lastError }) => health !== 'ok' || lastError !== undefined)).toEqual([]);
    const found = await ask(`${api}/query?query=holdfast_job_scheduled`);
    expect(found.data?.result?.map(({ metric }) => metric)).toEqual(
      ['nightly', 'tick'].map((name) => ({
        __name__: 'holdfast_job_scheduled',
        database: 'shop',
        instance,
        job: 'databases',
        keeper_job: name,
      })),
    );
    const renamed = await ask(
      `${api}/query?query=${encodeURIComponent('{exported_job!=""} or {exported_instance!=""}')}`,
    );
    expect(renamed.data?.result).toEqual([]);
  });
});
