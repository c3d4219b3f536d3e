// The database of a replay: made on a server, filled by the definition, dropped with the roles it brought.
import { randomBytes } from 'node:crypto';
import { apply, plan } from '../../build/index.ts';
import type { Definition } from '../../define/index.ts';
import { withClient, withDatabase } from '../../server/index.ts';
import { ident } from '../../sql.ts';

/** A definition in force in a database of its own. */
export interface Place {
  readonly url: string;
  readonly database: string;
}

/** What {@link withPlace} needs. */
export interface PlaceRequest {
  readonly definition: Definition;
  /** A server, as a role that may make databases and the definition's roles. */
  readonly serverUrl: string;
  /** When the definition is applied, by the simulated clock. */
  readonly now: Date;
  /** Where relative globs of the definition's SQL files start. */
  readonly baseDir: string | undefined;
}

const ROLES_SQL = 'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)';

/**
 * Applies a definition to a new database for the time of `work`. The database is dropped whatever happens, and so are
 * the definition's roles that the server did not have before.
 * @throws HoldfastError as `plan` and `apply` do
 */
export async function withPlace<T>(request: PlaceRequest, work: (place: Place) => Promise<T>): Promise<T> {
  const { definition, serverUrl, now, baseDir } = request;
  const database = `hf_lapse_${randomBytes(6).toString('hex')}`;
  const wanted = definition.model.roles.filter((role) => role.existing !== true).map((role) => role.name);
  const before = await withClient(serverUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(ROLES_SQL, [wanted]);
    await client.query(`CREATE DATABASE ${ident(database)} TEMPLATE template0 ENCODING 'UTF8'`);
    return rows.map((row) => row.name);
  });
  const url = withDatabase(serverUrl, database);
  try {
    const planned = await plan(definition, url, { now, ...(baseDir !== undefined && { baseDir }) });
    await apply(planned, url);
    return await work({ url, database });
  } finally {
    await withClient(serverUrl, async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${ident(database)} WITH (FORCE)`);
      for (const role of wanted.filter((name) => !before.includes(name)))
        await client.query(`DROP ROLE IF EXISTS ${ident(role)}`);
    });
  }
}
