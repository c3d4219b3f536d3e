// The sessions that change a database: one runs the steps, a second one watches who is in the way and keeps the lease.
import type { Client } from 'pg';
import { close, connect, majorOf, serverVersion } from '../server/index.ts';

// Statements take as long as they take, except that a dead client ends them; text means the same on every server.
const SETTINGS: readonly (readonly [string, string])[] = [
  ['statement_timeout', '0'],
  ['lock_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
  ['client_connection_check_interval', '1s'],
  ['default_transaction_isolation', 'read committed'],
  ['default_transaction_read_only', 'off'],
  ['default_transaction_deferrable', 'off'],
  ['search_path', 'pg_catalog'],
  ['check_function_bodies', 'off'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO'],
];

const SETTINGS_SQL = `SELECT pg_catalog.set_config(s.name, s.value, false)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS s (name, value)`;

/**
 * Sets a session up for steps of a plan: no timeouts but the step's own, names resolved by `pg_catalog` alone, bodies of
 * functions not checked (the planner orders by what the catalogue records, which leaves quoted bodies out).
 * @param client a session outside a transaction
 */
export async function prepare(client: Pick<Client, 'query'>): Promise<void> {
  const version = await serverVersion(client);
  const settings = majorOf(version) >= 17 ? [...SETTINGS, ['transaction_timeout', '0'] as const] : SETTINGS;
  await client.query(SETTINGS_SQL, [settings.map(([name]) => name), settings.map(([, value]) => value)]);
}

/** Opens a session ready for steps. Errors as of `connect`. */
export async function openSession(url: string, applicationName: string): Promise<Client> {
  const client = await connect(url, { applicationName });
  try {
    await prepare(client);
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}
