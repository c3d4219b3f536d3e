// Statements kept prepared on the server: how they are named, and whether what lies between keeps the names apart.
import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { ident, literal } from '../sql.ts';

/**
 * Names for server-side prepared statements. A name is a digest of the text, never a counter: behind a pooler two
 * processes may share a server connection, and the same name must not mean two statements there.
 */
export class Names {
  enabled: boolean;
  private readonly known = new Map<string, string>();

  constructor(enabled: boolean) {
    this.enabled = enabled;
  }

  /** The text's name, or undefined when naming is off or so many texts are named that the server would bear too many. */
  of(text: string): string | undefined {
    if (!this.enabled) return undefined;
    const found = this.known.get(text);
    if (found !== undefined || this.known.size >= MAX_NAMES) return found;
    const made = `hf_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
    this.known.set(text, made);
    return made;
  }
}

const MAX_NAMES = 500;

/**
 * Whether prepared statements can be used on connections like this one. A pooler that shares server connections must
 * carry them from one to another, as PgBouncer does since 1.21 with max_prepared_statements: it gives them names of
 * its own. One that passes our name through to the server does not, and would mix what its clients prepared.
 * https://www.pgbouncer.org/config.html#max_prepared_statements
 */
export async function carriesPrepared(client: pg.Client): Promise<boolean> {
  const name = `hf_probe_${randomBytes(8).toString('hex')}`;
  const text = `SELECT pg_catalog.pg_backend_pid() AS pid, EXISTS (
    SELECT FROM pg_catalog.pg_prepared_statements p WHERE p.name = ${literal(name)}) AS shown`;
  await client.query('BEGIN');
  const { rows } = await client.query<{ pid: number; shown: boolean }>({ name, text });
  const [row] = rows;
  // A pooler answers the login with a key of its own, so the process number it gave is not the server's.
  const direct = row?.pid === (client as unknown as { processID: number | null }).processID;
  if (row?.shown === true) await client.query(`DEALLOCATE ${ident(name)}`);
  await client.query('COMMIT');
  return direct || row?.shown === false;
}
