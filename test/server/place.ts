// A temporary folder for a file's servers, with one initialised data folder that tests copy: initdb runs once a file.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { HoldfastError } from '../../src/error.ts';
import { embedded, withClient } from '../../src/server/index.ts';

export interface Place {
  readonly root: string;
  /** A copy of the initialised server folder: table `kept` with the row `seed`. */
  readonly seeded: (name: string) => string;
  readonly remove: () => void;
}

/** Faster than the default, and no test here pulls the plug. */
export const settings = { fsync: 'off', shared_buffers: '16MB' };

/** The options of a server in these tests: quick, and of the major that the run is for. */
export const quick = { settings, major: Number(process.env['HOLDFAST_TEST_PG'] ?? 18) };

/** Makes the folder and the first server in it. */
export async function makePlace(prefix: string): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), prefix));
  // The account of the server must be able to pass through.
  chmodSync(root, 0o711);
  const seed = join(root, 'seed');
  const server = await embedded({ dir: seed, ...quick });
  await run(server.url, `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('seed')`);
  await server.stop();
  return {
    root,
    seeded: (name) => {
      const dir = join(root, name);
      execFileSync('cp', ['-a', seed, dir]);
      return dir;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Runs SQL as the superuser and gives the rows of a single statement. */
export function run<Row extends object>(url: string, sql: string): Promise<Row[]> {
  return withClient(url, async (client) => (await client.query<Row>(sql)).rows);
}

/** The words that are in the table `kept`. */
export async function kept(url: string): Promise<string[]> {
  return (await run<{ word: string }>(url, 'SELECT word FROM kept ORDER BY word')).map((row) => row.word);
}

/** The HoldfastError that this work ends with. */
export async function failure(work: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return error as HoldfastError;
}
