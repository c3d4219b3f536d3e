// The embedded server as its users meet it: started, configured, shared, stopped.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embedded, stopEmbedded } from '../../src/server/index.ts';
import {
  anotherProcess,
  commandLine,
  postmasterPid,
  runs,
  supervisorOf,
  untilGone,
} from './another-process.ts';
import { failure, kept, makePlace, run, quick } from './place.ts';
import type { Place } from './place.ts';

let place: Place;

beforeAll(async () => {
  place = await makePlace('embedded-');
});

afterAll(() => place.remove());

const listening = (port: number): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
  });

const show = async (url: string, names: readonly string[]): Promise<Record<string, string>> => {
  const list = names.map((name) => `'${name}'`).join(', ');
  const rows = await run<{ name: string; value: string }>(
    url,
    `SELECT name, current_setting(name) AS value FROM pg_settings WHERE name IN (${list})`,
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.value]));
};

describe('a first start', () => {
  test('gives a configured server in a path that breaks quoting', async () => {
    const cwd = join(place.root, `it's a "project" with $pace`);
    mkdirSync(cwd);
    const server = await embedded({ cwd, major: quick.major, settings: { work_mem: '7MB' } });
    expect(server.dataDir).toBe(
      join(cwd, '.holdfast', `postgres-${Number.parseInt(server.version, 10)}`, 'data'),
    );
    expect(server.attached).toBe(false);
    const wanted = {
      max_connections: '100',
      shared_buffers: '256MB',
      effective_cache_size: '512MB',
      wal_level: 'replica',
      shared_preload_libraries: 'pg_stat_statements',
      'pg_stat_statements.track': 'all',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      password_encryption: 'scram-sha-256',
      TimeZone: 'UTC',
      fsync: 'on',
      work_mem: '7MB',
    };
    expect(await show(server.url, Object.keys(wanted))).toEqual(wanted);
    await run(server.url, 'CREATE EXTENSION pg_stat_statements');
    expect(await run(server.url, 'SELECT count(*) > 0 AS counted FROM pg_stat_statements')).toEqual([
      { counted: true },
    ]);
    await server.stop();
  });

  test('orders text by code point and knows letters beyond ASCII', async () => {
    const server = await embedded({ dir: place.seeded('locale'), ...quick });
    const rows = await run(
      server.url,
      `SELECT upper('ação') AS upper, 'Z' < 'a' AS by_code_point, getdatabaseencoding() AS encoding`,
    );
    expect(rows).toEqual([{ upper: 'AÇÃO', by_code_point: true, encoding: 'UTF8' }]);
    await server.stop();
  });

  test('keeps the password out of sight', async () => {
    const dir = place.seeded('secret');
    const server = await embedded({ dir, ...quick });
    const { password } = new URL(server.url);
    expect(password.length).toBeGreaterThanOrEqual(32);
    const state = join(dir, 'server.json');
    expect(statSync(state).mode & 0o777).toBe(0o600);
    expect(readFileSync(state, 'utf8')).toContain(password);
    expect(statSync(join(dir, 'control.json')).mode & 0o777).toBe(0o600);
    const { token } = JSON.parse(readFileSync(join(dir, 'control.json'), 'utf8')) as { token: string };
    const pid = postmasterPid(server.dataDir) ?? 0;
    for (const process of [pid, supervisorOf(pid)]) {
      const environment = readFileSync(`/proc/${process}/environ`, 'utf8');
      for (const secret of [password, token])
        expect(commandLine(process) + environment).not.toContain(secret);
    }
    expect(
      await run(server.url, `SELECT left(rolpassword, 13) AS kind FROM pg_authid WHERE rolname = 'postgres'`),
    ).toEqual([{ kind: 'SCRAM-SHA-256' }]);
    const wrong = server.url.replace(password, 'wrong');
    expect((await failure(run(wrong, 'SELECT 1'))).code).toBe('HF_LOGIN');
    expect(readFileSync(join(dir, 'postgres.log'), 'utf8')).not.toContain(password);
    await server.stop();
  });
});

describe('sharing', () => {
  test('a second start joins, and the last one out stops the server', async () => {
    const dir = place.seeded('shared');
    const first = await embedded({ dir, ...quick });
    const second = await embedded({ dir, ...quick });
    const other = anotherProcess({ dir, ...quick });
    const said = await other.said;
    expect([first.attached, second.attached, said.attached]).toEqual([false, true, true]);
    expect([second.url, said.url]).toEqual([first.url, first.url]);
    const pid = postmasterPid(first.dataDir) ?? 0;
    await first.stop();
    await first.stop();
    await other.end('SIGTERM');
    expect(await kept(second.url)).toEqual(['seed']);
    await second.stop();
    await untilGone(pid);
    expect(postmasterPid(first.dataDir)).toBeUndefined();
  });

  test('two first starts at once make one server', async () => {
    const dir = join(place.root, 'rush');
    const others = [anotherProcess({ dir, ...quick }), anotherProcess({ dir, ...quick })];
    const here = await Promise.all([embedded({ dir, ...quick }), embedded({ dir, ...quick })]);
    const said = [...here, ...(await Promise.all(others.map((other) => other.said)))];
    expect(new Set(said.map((one) => one.url)).size).toBe(1);
    expect(said.filter((one) => !one.attached)).toHaveLength(1);
    const pid = postmasterPid(here[0].dataDir) ?? 0;
    await Promise.all(others.map((other) => other.end('SIGKILL')));
    await Promise.all(here.map((one) => one.stop()));
    await untilGone(pid);
  });

  test('a start while the last one leaves waits for the stop and starts anew', async () => {
    const dir = place.seeded('turn');
    let server = await embedded({ dir, ...quick });
    for (let turn = 0; turn < 5; turn += 1) {
      const [next] = await Promise.all([embedded({ dir, ...quick }), server.stop()]);
      expect(await kept(next.url)).toEqual(['seed']);
      server = next;
    }
    await server.stop();
  });

  test('two projects run side by side', async () => {
    const [left, right] = await Promise.all(
      ['left', 'right'].map((name) => embedded({ dir: place.seeded(name), ...quick })),
    );
    expect(left?.port).not.toBe(right?.port);
    await run(left?.url ?? '', `INSERT INTO kept VALUES ('left')`);
    expect(await kept(right?.url ?? '')).toEqual(['seed']);
    await Promise.all([left?.stop(), right?.stop()]);
  });

  test('a copy of a folder whose server runs is a server of its own', async () => {
    const dir = place.seeded('original');
    const original = await embedded({ dir, ...quick });
    await run(original.url, 'CHECKPOINT');
    const copy = join(place.root, 'copy');
    execFileSync('cp', ['-a', dir, copy]);
    const server = await embedded({ dir: copy, ...quick });
    expect(server.attached).toBe(false);
    expect(server.port).not.toBe(original.port);
    expect(await kept(server.url)).toEqual(['seed']);
    await Promise.all([original.stop(), server.stop()]);
  });

  test('a server that is kept running outlives its users until it is stopped', async () => {
    const dir = place.seeded('kept');
    const other = anotherProcess({ dir, ...quick, keepRunning: true });
    const { url, dataDir } = await other.said;
    await other.end('SIGKILL');
    const again = await embedded({ dir, ...quick });
    expect([again.attached, again.url]).toEqual([true, url]);
    await again.stop();
    expect(await kept(url)).toEqual(['seed']);
    const pid = postmasterPid(dataDir) ?? 0;
    expect(await stopEmbedded({ dir, major: quick.major })).toBe(true);
    expect(runs(pid)).toBe(false);
    expect(await stopEmbedded({ dir, major: quick.major })).toBe(false);
  });

  test('a stranger on the supervisor’s port is shown out and stops nothing', async () => {
    const dir = place.seeded('stranger');
    const server = await embedded({ dir, ...quick });
    const { port } = JSON.parse(readFileSync(join(dir, 'control.json'), 'utf8')) as { port: number };
    for (const said of [
      '{"token":"guess"}\n{"word":"stop"}\n',
      '{"word":"stop"}\n',
      'GET / HTTP/1.1\n\n',
      'x'.repeat(99_999),
    ]) {
      const answer = await new Promise<string>((resolve) => {
        let heard = '';
        const socket = connectTo(port, '127.0.0.1', () => socket.write(said));
        socket.on('data', (data) => (heard += data.toString()));
        socket.on('error', () => undefined).on('close', () => resolve(heard));
      });
      expect(answer).toBe('');
    }
    expect(await kept(server.url)).toEqual(['seed']);
    await server.stop();
  });

  test('an ephemeral server takes its folder with it, also when its user is killed', async () => {
    const other = anotherProcess({ ephemeral: true, ...quick });
    const { dataDir } = await other.said;
    const pid = postmasterPid(dataDir) ?? 0;
    await other.end('SIGKILL');
    await untilGone(pid);
    await expect
      .poll(() => statSync(join(dataDir, '..'), { throwIfNoEntry: false }), { timeout: 30_000 })
      .toBeUndefined();
  });
});

test('an ephemeral server that does not start leaves no folder', async () => {
  const before = process.env['TMPDIR'];
  const folder = join(place.root, 'temporary');
  mkdirSync(folder);
  process.env['TMPDIR'] = folder;
  const work = embedded({ major: quick.major, ephemeral: true, settings: { wal_level: 'lots' } });
  const error = await failure(work).finally(() => (process.env['TMPDIR'] = before));
  expect([error.code, readdirSync(folder)]).toEqual(['HF_EMBEDDED_START', []]);
});

describe('ports', () => {
  test('the port of last time is taken again', async () => {
    const dir = place.seeded('same-port');
    const first = await embedded({ dir, ...quick });
    await first.stop();
    const second = await embedded({ dir, ...quick });
    expect(second.port).toBe(first.port);
    await second.stop();
  });

  test('a foreign process on the port of last time: another is taken and remembered', async () => {
    const dir = place.seeded('taken-port');
    const first = await embedded({ dir, ...quick });
    await first.stop();
    const foreign = await listening(first.port);
    const second = await embedded({ dir, ...quick });
    expect(second.port).not.toBe(first.port);
    expect(await kept(second.url)).toEqual(['seed']);
    await second.stop();
    foreign.close();
    const third = await embedded({ dir, ...quick });
    expect(third.port).toBe(second.port);
    await third.stop();
  });

  test('a foreign process on a fixed port is an error that says so', async () => {
    const dir = place.seeded('fixed-port');
    const foreign = await listening(0);
    const { port } = foreign.address() as { port: number };
    const error = await failure(embedded({ dir, ...quick, port }));
    foreign.close();
    expect(error.message).toBe(
      `folder ${dir}: another process listens on its port. End that process or give another port. [HF_PORT_IN_USE]`,
    );
    expect(postmasterPid(join(dir, 'data'))).toBeUndefined();
  });
});

describe('a folder that cannot be used', () => {
  test('data without their password', async () => {
    const dir = place.seeded('forgotten');
    rmSync(join(dir, 'server.json'));
    const error = await failure(embedded({ dir, ...quick }));
    expect(error.message).toBe(
      `folder ${dir}: it holds data, but server.json with the password is missing or cannot be read. Put server.json ` +
        'back from a copy; or, to begin anew and lose the data, delete the folder. [HF_EMBEDDED_STATE]',
    );
  });

  test('data of another major', async () => {
    const dir = place.seeded('older');
    writeFileSync(join(dir, 'data', 'PG_VERSION'), '12\n');
    const error = await failure(embedded({ dir, ...quick }));
    expect([error.code, error.what.slice(0, 24)]).toEqual(['HF_EMBEDDED_MAJOR', 'PostgreSQL 12 wrote it, ']);
  });

  test('a folder that is none of ours', async () => {
    const dir = join(place.root, 'foreign');
    mkdirSync(join(dir, 'data'), { recursive: true });
    writeFileSync(join(dir, 'server.json'), '{}');
    expect((await failure(embedded({ dir, ...quick }))).code).toMatch(/^HF_EMBEDDED_(MAJOR|OWNER)$/);
  });

  test('a file where the folder should be', async () => {
    const file = join(place.root, 'file');
    writeFileSync(file, '');
    const error = await failure(embedded({ dir: join(file, 'server'), ...quick }));
    expect(error.message).toBe(
      `folder ${join(file, 'server')}: a file stands where a folder is needed. Move the file away or name another ` +
        'folder. [HF_EMBEDDED_FOLDER]',
    );
  });

  test('a setting that the server refuses is named by the server', async () => {
    const error = await failure(
      embedded({ dir: place.seeded('setting'), major: quick.major, settings: { wal_level: 'lots' } }),
    );
    expect([error.code, error.what]).toEqual([
      'HF_EMBEDDED_START',
      'PostgreSQL did not start: invalid value for parameter "wal_level": "lots".',
    ]);
  });

  test('a moved project is the same project', async () => {
    const dir = place.seeded('here');
    const before = await embedded({ dir, ...quick });
    await before.stop();
    renameSync(dir, join(place.root, 'there'));
    const after = await embedded({ dir: join(place.root, 'there'), ...quick });
    expect(after.url).toBe(before.url);
    await after.stop();
  });
});
