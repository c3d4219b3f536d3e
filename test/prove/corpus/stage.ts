// Builds a case as a database of its own with roles of its own, and takes both away again.
import { Client } from 'pg';
import { ident, literal } from '../../../src/sql.ts';
import type { TestDatabase } from '../../cluster/index.ts';
import type { Case, Step } from './case.ts';

/** A case that stands on a server. */
export interface Staged {
  /** Connection string of the superuser in the case's database. */
  readonly url: string;
  /** The names on the server of all of the case's roles. */
  readonly roles: readonly string[];
  /** The name on the server of a placeholder's role: `{app}`. */
  readonly role: (placeholder: string) => string;
  /** A text with the placeholders of the case replaced. */
  readonly fill: (text: string) => string;
  /** A text of the server with its names of roles replaced by the placeholders. */
  readonly plain: (text: string) => string;
  /** A session that really logs in as the placeholder's role, or as the superuser. */
  readonly login: (as: string) => Promise<Client>;
}

const PLACEHOLDER = /\{([a-z]\w*)\}/g;
const PASSWORD = 'a-role-of-the-corpus';
const LOGINS_SQL = `
  SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolcanlogin AND rolname = ANY ($1)`;
const MADE_SQL = `SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)`;
const EMPTY_PUBLIC_SQL = `
  DROP SCHEMA public CASCADE;
  CREATE SCHEMA public AUTHORIZATION pg_database_owner;
  GRANT USAGE ON SCHEMA public TO PUBLIC;`;

/**
 * Builds the case in the file's database, hands it to `work`, and takes everything away again whatever happens.
 * Only one case stands at a time: roles are the cluster's, and one that may bypass row security would be seen by all.
 */
export async function onStage<T>(db: TestDatabase, of: Case, work: (on: Staged) => Promise<T>): Promise<T> {
  const roles = new Map<string, string>();
  for (const [, name] of of.build.matchAll(PLACEHOLDER)) {
    if (name !== undefined && name !== 'database' && !roles.has(name)) roles.set(name, db.role(name));
  }
  const fill = (text: string): string =>
    text.replaceAll(PLACEHOLDER, (all, name: string) =>
      name === 'database' ? db.name : (roles.get(name) ?? all),
    );
  const plain = (text: string): string =>
    [...roles].reduce((said, [name, role]) => said.replaceAll(role, `{${name}}`), text);
  const role = (placeholder: string): string => fill(placeholder);
  const login = async (as: string): Promise<Client> => {
    const to = as === 'superuser' ? db.url : db.urlAs(role(as), PASSWORD);
    const client = new Client({ connectionString: to, types: { getTypeParser: () => String } });
    await client.connect();
    return client;
  };
  try {
    await build(await login('superuser'), fill(of.build), [...roles.values()]);
    return await work({ url: db.url, roles: [...roles.values()], role, fill, plain, login });
  } finally {
    await clear(db, [...roles.values()]);
  }
}

async function build(superuser: Client, sql: string, roles: readonly string[]): Promise<void> {
  try {
    await superuser.query(sql);
    const { rows } = await superuser.query<{ name: string }>(LOGINS_SQL, [roles]);
    for (const { name } of rows) {
      await superuser.query(`ALTER ROLE ${ident(name)} PASSWORD ${literal(PASSWORD)}`);
    }
    await superuser.query('ANALYZE');
  } finally {
    await superuser.end();
  }
}

async function clear(db: TestDatabase, roles: readonly string[]): Promise<void> {
  await db.query(`ALTER DATABASE ${ident(db.name)} RESET ALL`);
  await db.query(EMPTY_PUBLIC_SQL);
  const made = await db.query<{ name: string }>(MADE_SQL, [roles]);
  for (const { name } of made) {
    await db.query(`DROP OWNED BY ${ident(name)} CASCADE`);
    await db.query(`DROP ROLE ${ident(name)}`);
  }
}

/** Runs the proof by hand; gives each step's statements with what was claimed and what the server said. */
export async function runProof(
  on: Staged,
  steps: readonly Step[],
): Promise<{ sql: string; claimed: string; said: string }[]> {
  const sessions = new Map<string, { client: Client; heard: string[] }>();
  const said: { sql: string; claimed: string; said: string }[] = [];
  try {
    for (const step of steps) {
      let session = sessions.get(step.session);
      if (session === undefined) {
        session = { client: await on.login(step.as), heard: [] };
        const { heard } = session;
        session.client.on('notification', ({ channel, payload }) =>
          heard.push(`${channel}: ${payload ?? ''}`),
        );
        sessions.set(step.session, session);
      }
      const answer = on.plain(await run(session.client, on.fill(step.sql)));
      const heard = step.expect === 'hears' ? `hears ${session.heard.join('; ')}` : answer;
      said.push({ sql: step.sql, claimed: `${step.expect} ${step.answer}`, said: heard });
    }
  } finally {
    for (const { client } of sessions.values()) await client.end();
  }
  return said;
}

// Several statements sent at once are one transaction: a SET at the head is sent alone, so that it outlives an error.
const LEADING_SETS = /^(SET [^;]*;\s*)+/;

async function run(client: Client, sql: string): Promise<string> {
  try {
    const sets = LEADING_SETS.exec(sql)?.[0] ?? '';
    if (sets !== '') await client.query(sets);
    const result = await client.query({ text: sql.slice(sets.length), rowMode: 'array' });
    const last = [result].flat().at(-1);
    if (last === undefined) return 'gives nothing';
    if (last.fields.length === 0)
      return `gives ${[last.command, last.rowCount].filter((part) => part !== null).join(' ')}`;
    const rows = last.rows.map((row: readonly unknown[]) => row.map(String).join(' | '));
    return `gives ${rows.length === 0 ? 'nothing' : rows.join('; ')}`;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === undefined ? `breaks: ${message}` : `fails ${code}`;
  }
}
