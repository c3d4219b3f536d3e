// Retention is killed at any statement: before it is sent, while it runs, after it is done but before its answer is
// used, with the connection cut, and with its process killed. Rows come every month and go three months later; after
// each kill what is there is what was inserted, once. HOLDFAST_KILLS=100 kills each path a hundred times.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { expect } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import type { Piece } from '../../src/define/job.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { random } from './archive-stand.ts';
import { paths } from './retention-paths.ts';
import { fill, openShop, sumOf, turn, type Turn } from './retention-stand.ts';
import { settle } from './stand.ts';

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';
const KILLS = Number(process.env['HOLDFAST_KILLS'] ?? 2);
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 20_260_502);
const HOW = ['before', 'within', 'after', 'cut'] as const;
const MONTHS_BEFORE_KILLS = 4;

interface Scene {
  readonly db: TestDatabase;
  readonly definition: Definition;
  readonly table: string;
  readonly path: string;
  readonly folder: string;
}

/** The month's rows arrive, and its partitions with them. */
async function month(scene: Scene, number: number): Promise<Date> {
  const from = new Date(Date.UTC(2026, number));
  const to = new Date(Date.UTC(2026, number + 1, 1, -1));
  await settle(scene.db, scene.definition, from);
  await fill(scene.db, scene.table, { from: from.toISOString(), to: to.toISOString() });
  await scene.db.query(
    `INSERT INTO public.inserted SELECT $2, tenant_id, id, created_at, kind FROM ${scene.table} WHERE created_at >= $1`,
    [from.toISOString(), scene.path],
  );
  return new Date(Date.UTC(2026, number + 1, 1, 1));
}

function cut(client: Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}

function killer(how: (typeof HOW)[number], at: number, scene: Scene): Pick<Turn, 'before' | 'after'> {
  const end = (client: Client): Promise<unknown> =>
    scene.db.query('SELECT pg_terminate_backend($1)', [
      (client as unknown as { processID: number }).processID,
    ]);
  if (how === 'after') {
    return {
      after: (_sql, number, client) => {
        if (number !== at) return;
        cut(client);
        throw new Error('killed');
      },
    };
  }
  return {
    before: async (_sql, number, client) => {
      if (number !== at) return;
      if (how === 'before') await end(client);
      else if (how === 'within') void end(client).catch(() => undefined);
      else setImmediate(cut, client);
    },
  };
}

/** Runs until it succeeds: a run that was cut may still hold its locks for a moment. */
async function finished(scene: Scene, now: Date): Promise<void> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      await turn(scene.db, scene.definition, { now });
      return;
    } catch (error) {
      if (attempts === 5) throw error;
      await scene.db.query('SELECT pg_sleep(0.05)');
    }
  }
}

/** Every row from the oldest that must still be anywhere, wherever it is: in the table, the archive, apart, or a file. */
async function isWhole(scene: Scene, now: Date): Promise<void> {
  const { db, definition, table } = scene;
  const [residence] = definition.traits.flatMap((one) => one.promises?.(definition.model).residences ?? []);
  const pieces = await db.query<Piece & { subject: string }>(
    `SELECT subject, piece, state, detail FROM holdfast.piece WHERE definition = $1 AND trait = 'retention'`,
    [definition.name],
  );
  const query = async <Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]> =>
    db.query<Row>(sql, values && [...values]);
  const parts = (await residence?.archive?.parts({ model: definition.model, query, now, pieces })) ?? [];
  await db.query('TRUNCATE public.filed');
  for (const { rows } of parts) {
    if ('sql' in rows) continue;
    for await (const row of rows.read())
      await db.query('INSERT INTO public.filed VALUES ($1, $2, $3, $4)', [
        row['tenant_id'],
        row['id'],
        row['created_at'],
        row['kind'],
      ]);
  }
  const tables = parts.flatMap(({ rows }) => ('sql' in rows ? [rows.sql] : []));
  const there = await sumOf(db, [table, 'public.filed', ...tables]);
  const stay = residence?.archive ?? residence?.online;
  const oldest = stay?.clearsBefore(now)?.toISOString() ?? '';
  const all = `SELECT * FROM public.inserted WHERE path = '${scene.path}' AND created_at >= '${oldest}'`;
  expect(there).toEqual(await sumOf(db, [`(${all}) i`]));
}

async function statementsOf(scene: Scene, now: Date): Promise<number> {
  let statements = 0;
  await turn(scene.db, scene.definition, { now, before: (_sql, number) => void (statements = number) });
  return statements;
}

async function killedChild(scene: Scene, now: Date, at: number): Promise<string> {
  const args = [
    JITI,
    'test/traits/retention-child.ts',
    scene.db.url,
    scene.path,
    scene.folder,
    now.toISOString(),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  await new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(`${at}\n`)) child.kill('SIGKILL');
    });
  });
  return said.trim().split('\n').at(-1) ?? '';
}

async function scenes(db: TestDatabase, path: string): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'retention-'));
  const options = paths(folder)[path];
  if (options === undefined) throw new Error(`There is no path ${path}.`);
  const { definition, table } = await openShop(db, path, options);
  await db.query(`CREATE TABLE IF NOT EXISTS public.inserted (path text, tenant_id text, id int, created_at timestamptz, kind text);
    CREATE TABLE IF NOT EXISTS public.filed (tenant_id text, id int, created_at timestamptz, kind text)`);
  return { db, definition, table, path, folder };
}

test.for(Object.keys(paths('unused')))(
  '%s: killed anywhere, nothing is lost and nothing is there twice',
  { timeout: 60_000 + KILLS * 3_000 },
  async (path, { db }) => {
    const scene = await scenes(db, path);
    try {
      const chance = random(SEED + path.length);
      let statements = 0;
      for (let number = 0; number < MONTHS_BEFORE_KILLS; number += 1)
        statements = await statementsOf(scene, await month(scene, number));
      const killed: string[] = [];
      for (let kill = 0; kill < KILLS; kill += 1) {
        const now = await month(scene, MONTHS_BEFORE_KILLS + kill);
        const how = HOW[Math.floor(chance() * HOW.length)] ?? 'before';
        const at = 1 + Math.floor(chance() * statements);
        await turn(db, scene.definition, { now, ...killer(how, at, scene) }).then(
          () => killed.push('none'),
          () => killed.push(how),
        );
        await finished(scene, now);
        await isWhole(scene, now);
      }
      expect(killed.filter((how) => how !== 'none').length).toBeGreaterThan(0);
    } finally {
      rmSync(scene.folder, { recursive: true, force: true });
    }
  },
);

test(
  'a process that is killed at any statement loses nothing',
  { timeout: 60_000 + KILLS * 5_000 },
  async ({ db }) => {
    const other = await db.another();
    const scene = await scenes(other, 'whole_files');
    try {
      const chance = random(SEED);
      let statements = 0;
      for (let number = 0; number < MONTHS_BEFORE_KILLS; number += 1)
        statements = await statementsOf(scene, await month(scene, number));
      for (let kill = 0; kill < Math.ceil(KILLS / 5); kill += 1) {
        const now = await month(scene, MONTHS_BEFORE_KILLS + kill);
        const last = await killedChild(scene, now, 1 + Math.floor(chance() * statements));
        expect(last).toMatch(/^\d+$/);
        await finished(scene, now);
        await isWhole(scene, now);
      }
    } finally {
      rmSync(scene.folder, { recursive: true, force: true });
    }
  },
);
