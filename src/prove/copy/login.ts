// Sessions of the copy's roles, as their own logins would be.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { HoldfastError } from '../../error.ts';
import { close, connect, connectError, target, withClient } from '../../server/index.ts';
import { ident } from '../../sql.ts';
import type { Place } from './place.ts';
import type { Role } from './roles.ts';
import { startingWith } from './session.ts';
import { settingsOf, type Setting } from './settings.ts';

/** What logging in takes. */
export interface LoginOptions {
  readonly place: Place;
  readonly roles: readonly Role[];
  readonly settings: readonly Setting[];
  /** A superuser's connection string to the copy. */
  readonly url: string;
}

/**
 * Gives the function that opens a session of a role of the copy.
 * @throws HoldfastError HF_COPY_ROLE (by what it gives) when there is no such role
 */
export function loginTo(options: LoginOptions): (role: string) => Promise<Client> {
  const proxies = new Map<string, Promise<string>>();
  return async (name) => {
    const role = options.roles.find((one) => one.name === name);
    if (role === undefined) throw noRole(name);
    const { password } = options.place;
    if (password === undefined) return handedOver(options, role);
    if (role.login)
      return connect(urlAs(options.place.url, name, password.password), { applicationName: 'holdfast' });
    const proxy = proxies.get(name) ?? makeProxy(options, name);
    proxies.set(name, proxy);
    const client = await connect(urlAs(options.place.url, await proxy, password.password), {
      applicationName: 'holdfast',
    });
    return switched(client, `SET ROLE ${ident(name)}`);
  };
}

function urlAs(url: string, role: string, password: string): string {
  const changed = new URL(url);
  changed.username = encodeURIComponent(role);
  changed.password = password;
  changed.search = '';
  return changed.href;
}

/** A login role that is the role's member and has nothing by itself. */
async function makeProxy({ url, place }: LoginOptions, role: string): Promise<string> {
  const name = `hf_login_${randomBytes(6).toString('hex')}`;
  await withClient(url, async (client) => {
    await client.query(
      `CREATE ROLE ${ident(name)} LOGIN NOINHERIT PASSWORD '${place.password?.verifier ?? ''}' IN ROLE ${ident(role)}`,
    );
  });
  return name;
}

/** What the role's login would start with is what the superuser's session starts with, so that RESET gives it back. */
async function handedOver({ place, settings }: LoginOptions, role: Role): Promise<Client> {
  const startup = [...settingsOf(settings, role.name)].filter(
    ([name]) => name !== 'role' && !name.endsWith('_preload_libraries'),
  );
  const to = target(place.url);
  const url = startingWith(place.url, new Map(startup));
  const client = new Client({ connectionString: url, application_name: 'holdfast' });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await close(client);
    throw connectError(to, error);
  }
  return switched(client, `SET SESSION AUTHORIZATION ${ident(role.name)}`);
}

async function switched(client: Client, sql: string): Promise<Client> {
  try {
    await client.query(sql);
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

function noRole(name: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_COPY_ROLE',
    subject: `role ${name}`,
    what: 'the target has no role of that name, so the copy has none.',
    fix: 'Name one of the target’s roles.',
  });
}
