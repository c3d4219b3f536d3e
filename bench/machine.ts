// The server a bench runs on, and what it and the machine are.
import { cpus, release, totalmem, type } from 'node:os';
import { embedded, withClient } from 'holdfast/server';

const SERVER_SQL = `
SELECT pg_catalog.current_setting('server_version') AS "PostgreSQL",
       pg_catalog.string_agg(s.name || ' = ' || pg_catalog.current_setting(s.name), ', ' ORDER BY s.name) AS "server settings"
  FROM pg_catalog.pg_settings s
 WHERE s.name IN ('shared_buffers', 'fsync', 'synchronous_commit', 'jit', 'ssl', 'shared_preload_libraries')`;

/** The given server, or one of the bench's own in a temporary folder, deleted when it stops. */
export async function openServer(
  given: string | undefined,
): Promise<{ url: string; stop: () => Promise<void> }> {
  return given === undefined ? embedded({ ephemeral: true }) : { url: given, stop: async () => undefined };
}

/** Processor, memory, system, Node, and the server's version and settings, each by its name. */
export async function describeMachine(url: string): Promise<Record<string, string>> {
  const { rows } = await withClient(url, (client) => client.query<Record<string, string>>(SERVER_SQL));
  const [processor] = cpus();
  return {
    machine: `${cpus().length} x ${processor?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `${type()} ${release()}`,
    Node: process.version,
    ...rows[0],
  };
}
