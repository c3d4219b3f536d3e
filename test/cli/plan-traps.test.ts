// `holdfast plan --traps`: traps of the definition before any server has it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, expect } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { test } from '../cluster/index.ts';

const out = mkdtempSync(join(tmpdir(), 'plan-traps-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        written[name] += chunk.toString();
        done();
      },
    });
  const code = await main({
    argv: args,
    cwd: resolve(import.meta.dirname, 'plan-traps'),
    env: {},
    terminal: { out: into('out'), err: into('err'), colour: false, now: () => 0 },
    signal: new AbortController().signal,
    now: () => new Date(),
  });
  return { code, ...written };
}

test('traps above what is worth knowing stand below the plan, a line each, and count for --check', async ({
  db,
}) => {
  const ran = await run('plan', '--url', db.url, '--traps');
  expect(ran).toMatchObject({ code: 0, err: '' });
  expect(ran.out.split('\n').slice(-3, -1)).toEqual([
    'traps of the definition: 0 errors, 1 warning; holdfast prove traps says more once it is applied',
    'warning  HT701  foreign key orders_customer_customers_id_fk on public.orders  A foreign key without an index  docs/reference/traps/HT701.md',
  ]);
  expect(await db.query(`SELECT FROM pg_class WHERE relname = 'orders'`)).toEqual([]);
  // What is applied is done; what the definition holds is still looked at.
  expect((await run('apply', '--url', db.url)).code).toBe(0);
  expect((await run('plan', '--url', db.url, '--check', '--traps')).code).toBe(3);
});

test('as JSON the traps stand beside the plan, and not in the file that apply reads', async ({ db }) => {
  const other = await db.another();
  const file = join(out, 'plan.json');
  const ran = await run('plan', '--url', other.url, '--traps', '--json', '--out', file);
  const said = JSON.parse(ran.out) as { steps: unknown[]; traps: { findings: unknown[]; unseen: unknown[] } };
  expect(said.steps).toHaveLength(4);
  expect(said.traps.unseen).toEqual([]);
  expect(said.traps.findings).toMatchObject([{ code: 'HT701', severity: 'warning' }]);
  expect(JSON.parse(readFileSync(file, 'utf8'))).not.toHaveProperty('traps');
});
