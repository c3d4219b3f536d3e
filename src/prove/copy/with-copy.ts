// A scratch copy of any database: its structure, roles, grants and settings, without its rows, to be attacked in place of
// the database itself, which is only read.
import type { Client, Pool } from 'pg';
import { refuseAborted } from './abort.ts';
import type { Copy, CopyOptions, Left } from './copy.ts';
import { loginTo } from './login.ts';
import { withPlace, type Place } from './place.ts';
import { makeRoles, shareRoles } from './roles.ts';
import { withOptions } from './session.ts';
import { applySettings, withoutSecrets } from './settings.ts';
import { build } from './structure/index.ts';
import { readTarget, type Target } from './target.ts';
import { verify } from './verify.ts';
import { close, connect, openPool } from '../../server/index.ts';
import { ident } from '../../sql.ts';

/**
 * Makes a copy of a database's structure for the time of `work`. The target is only read, in a read-only transaction.
 * @returns what `work` returns; the copy is gone by then, whatever happened
 * @throws HoldfastError HF_NO_COPY when no server can be had for it; HF_INTERRUPTED when the signal aborted; those of
 *   `connect` and `embedded`; what `work` throws
 */
export async function withCopy<T>(options: CopyOptions, work: (copy: Copy) => Promise<T>): Promise<T> {
  const say = (doing: string): void => options.onProgress?.({ proof: 'copy', doing, done: 0 });
  try {
    refuseAborted(options.signal);
    say('reading the structure');
    const target = await readTarget(options.url);
    say('starting a server for the copy');
    return await withPlace(options, target, (place) => filled({ options, target, place, say }, work));
  } catch (error) {
    refuseAborted(options.signal, error);
    throw error;
  }
}

interface Filling {
  readonly options: CopyOptions;
  readonly target: Target;
  readonly place: Place;
  readonly say: (doing: string) => void;
}

async function filled<T>(given: Filling, work: (copy: Copy) => Promise<T>): Promise<T> {
  const { options, target, place, say } = given;
  const { settings, left: secrets } = withoutSecrets(target.settings);
  const client = await connect(withOptions(place.url), { applicationName: 'holdfast copy' });
  const pool = openPool(withOptions(place.url), { max: 20, applicationName: 'holdfast copy' });
  const reading = openPool(withOptions(place.url, { search_path: 'pg_catalog' }), {
    max: 4,
    applicationName: 'holdfast copy',
  });
  try {
    say('making the copy');
    const roles = await prepareRoles(client, given);
    const failed = await build(client, {
      parts: [...target.structure.parts, databaseRights(given)],
      refuse: () => refuseAborted(options.signal),
      onPart: () => undefined,
    });
    const unset = await applySettings(client, settings, {
      database: place.database,
      ownServer: place.password !== undefined,
    });
    say('comparing the copy with the target');
    const differing = await differences(options.url, pool);
    const left = [...target.left, ...place.left, ...secrets, ...roles, ...failed, ...unset, ...differing];
    return await work({
      url: withOptions(place.url),
      pool,
      query: async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
        (await reading.query(sql, [...values])).rows as Row[],
      now: options.now,
      versionNumber: target.versionNumber,
      own: place.own,
      left,
      real: place.password !== undefined,
      login: loginTo({ place, roles: target.roles.roles, settings, url: withOptions(place.url) }),
    });
  } finally {
    await Promise.all([pool.end(), reading.end()]).catch(() => undefined);
    await close(client);
  }
}

async function prepareRoles(client: Client, { target, place }: Filling): Promise<readonly Left[]> {
  if (place.password !== undefined) return makeRoles(client, target.roles, place.password.verifier);
  if (place.own || place.ensureRoles === undefined) return [];
  return shareRoles(client, target.roles, place.ensureRoles);
}

function databaseRights({ target, place }: Filling): { subject: string; sql: string }[] {
  const name = ident(place.database);
  const owner = {
    subject: 'owner of the database',
    sql: `ALTER DATABASE ${name} OWNER TO ${ident(target.database.owner)}`,
  };
  const grants = target.grants.map((one) => ({ ...one, sql: one.sql.replaceAll('$database', () => name) }));
  return [owner, ...grants, ...(place.password === undefined ? [] : target.settingGrants)];
}

async function differences(url: string, copy: Pool): Promise<readonly Left[]> {
  const target = openPool(url, { max: 1, applicationName: 'holdfast copy' });
  try {
    return await verify(target, copy);
  } finally {
    await target.end();
  }
}
