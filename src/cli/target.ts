// Which database a command works on: the one that is named, the environment's, or the project's own embedded server.
import { HoldfastError } from '../error.ts';
import {
  embedded,
  redact,
  SQLSTATE,
  isSqlstate,
  urlFromEnvironment,
  withClient,
  withDatabase,
} from '../server/index.ts';
import { ident } from '../sql.ts';
import { type Invocation, text } from './command.ts';

/** A database to work on, and how to leave it. */
export interface Place {
  /** Connection string, password included: never printed. */
  readonly url: string;
  /** The same without password. */
  readonly shown: string;
  /** Present when it is the project's embedded server. */
  readonly embedded?: { readonly dataDir: string; readonly version: string; readonly attached: boolean };
  readonly notes: readonly string[];
  /** Leaves the server; an embedded one stops with its last user. */
  readonly leave: () => Promise<void>;
}

/** The options that every command with a database takes. */
export const targetOptions = { url: { type: 'string' } } as const;

/** Their help. */
export const targetHelp = {
  url: 'the database, postgres://user@host:port/name; default: DATABASE_URL, else an embedded server in ./.holdfast',
} as const;

/**
 * Finds the database a command works on: `--url`, then `DATABASE_URL`, then the embedded server of the folder, in which
 * a database of the definition's name is made when it is not there.
 * @param name the definition's name
 * @throws HoldfastError as `embedded` and `connect` do
 */
export async function findTarget(invocation: Invocation, name: string): Promise<Place> {
  const url = text(invocation, 'url') ?? urlFromEnvironment(invocation.env);
  if (url !== undefined) return { url, shown: redact(url), notes: [], leave: async () => undefined };
  const server = await embedded({ cwd: invocation.cwd });
  try {
    await ensureDatabase(server.url, name);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const own = withDatabase(server.url, name);
  return {
    url: own,
    shown: redact(own),
    embedded: { dataDir: server.dataDir, version: server.version, attached: server.attached },
    notes: server.notes,
    leave: server.stop,
  };
}

const EXISTS_SQL = 'SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1';

async function ensureDatabase(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query(EXISTS_SQL, [name]);
    if (rowCount === 1) return;
    try {
      await client.query(`CREATE DATABASE ${ident(name)} TEMPLATE template0 ENCODING 'UTF8'`);
    } catch (error) {
      // Another start of the same project was first, which is as good.
      if (isSqlstate(error, SQLSTATE.duplicateDatabase, SQLSTATE.uniqueViolation)) return;
      throw new HoldfastError({
        code: 'HF_CREATE_DATABASE',
        subject: `database ${name}`,
        what: `the embedded server could not make it: ${error instanceof Error ? error.message : String(error)}.`,
        fix: 'Free disk space, or name another database with --url.',
        cause: error,
      });
    }
  });
}

/**
 * A throw-away server to rehearse on, for a role that may not make databases.
 * @param major the target's; a plan is only rehearsed on its own major
 * @returns undefined where no server programs of that major are on this machine
 */
export async function scratchServer(
  major: number,
): Promise<{ readonly url: string; readonly stop: () => Promise<void> } | undefined> {
  try {
    const server = await embedded({ ephemeral: true, major });
    return { url: server.url, stop: server.stop };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF_NO_POSTGRES') return undefined;
    throw error;
  }
}
