// Where budgets are measured: a definition in force in a scratch database, with roles that can log in, gone afterwards.
import type { Pool } from 'pg';
import { load } from '../../build/load.ts';
import { lower } from '../../build/lower.ts';
import { settingValue } from '../../build/roles.ts';
import { withScratch, type ScratchServer } from '../../build/scratch.ts';
import { settle } from '../../build/settle.ts';
import type { CatalogueQuery, Definition, Role } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { embedded, makePassword } from '../../server/index.ts';
import { ident, literal } from '../../sql.ts';

/** A definition in force, for the time of the measurement. */
export interface Ground {
  readonly definition: Definition;
  readonly url: string;
  readonly database: string;
  /** A superuser's sessions. */
  readonly pool: Pool;
  readonly query: CatalogueQuery;
  /** The way in for a role of the definition. */
  readonly urlAs: (role: string) => string;
  /** How a role of the definition comes in, in a person's words. */
  readonly wayIn: (role: string) => string;
  /** Puts run-time objects in place as of a moment: partitions, indexes of the newest of them. */
  readonly settleAt: (now: Date) => Promise<void>;
  /** When the run began. */
  readonly now: Date;
}

/** What {@link withGround} needs. */
export interface GroundRequest {
  readonly definition: Definition;
  /** A server, as a superuser; absent: an embedded one in a temporary folder, as durable as any. */
  readonly url?: string | undefined;
  readonly baseDir?: string | undefined;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

/** What an embedded server is given beside its defaults: memory and room as a small server of one's own would have. */
export const budgetServerSettings: Readonly<Record<string, string>> = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
};

/**
 * Puts a definition in force in a scratch database for the time of `work`. Roles the server does not have are made, and
 * dropped with the database, also after a kill (the next plan sweeps). Nothing else on the server is changed.
 * @throws HoldfastError HF_BUDGET_SERVER when the role is no superuser; as `withScratch`, `lower` and `load` do
 */
export async function withGround<T>(
  request: GroundRequest,
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  if (request.url !== undefined) return onServer(request, request.url, work);
  const server = await embedded({ ephemeral: true, settings: budgetServerSettings });
  try {
    return await onServer(request, server.url, work);
  } finally {
    await server.stop();
  }
}

async function onServer<T>(
  request: GroundRequest,
  url: string,
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const { signal } = request;
  return withScratch({ url, ...(signal !== undefined && { signal }) }, async (server) => {
    const scratch = await server.make();
    const query = queryOf(scratch.pool);
    await refuseWeak(query);
    const logins = await makeRoles(server, query, request.definition.model.roles);
    const { definition, baseDir } = request;
    const { statements } = await lower(definition, baseDir === undefined ? {} : { baseDir });
    await load(scratch.pool, statements);
    const { model, traits } = definition;
    return work({
      definition,
      url: scratch.url,
      database: scratch.name,
      pool: scratch.pool,
      query,
      urlAs: (role) => urlAs(scratch.url, { role, logins, roles: model.roles }),
      wayIn: (role) => (logins.has(role) ? 'logged in' : 'by SET ROLE, because the server had the role'),
      settleAt: async (now) => {
        for (const steps of await settle({ model, traits, query, now })) {
          for (const step of steps) await query(step.sql);
        }
      },
      now: request.now,
    });
  });
}

function queryOf(pool: Pool): CatalogueQuery {
  return async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
    const { rows } = await pool.query<Row & Record<string, unknown>>(sql, [...values]);
    return rows;
  };
}

const SUPER_SQL = `
  SELECT rolname AS role, rolsuper AS super FROM pg_catalog.pg_roles WHERE rolname = current_user`;

async function refuseWeak(query: CatalogueQuery): Promise<void> {
  const [row] = await query<{ role: string; super: boolean }>(SUPER_SQL);
  if (row?.super === true) return;
  throw new HoldfastError({
    code: 'HF_BUDGET_SERVER',
    subject: `role ${row?.role ?? ''}`,
    what: 'it is no superuser, so it can neither load rows past triggers nor let the server tell the plans it used.',
    fix: 'Name a server of your own as its superuser, or none: an embedded server is started then.',
  });
}

const THERE_SQL = 'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)';

/** Makes the roles that are missing; gives the passwords of those of them that log in. */
async function makeRoles(
  server: ScratchServer,
  query: CatalogueQuery,
  roles: readonly Role[],
): Promise<ReadonlyMap<string, string>> {
  const names = roles.map((role) => role.name);
  const there = new Set((await query<{ name: string }>(THERE_SQL, [names])).map((row) => row.name));
  await server.ensureRoles(names);
  const logins = new Map<string, string>();
  for (const role of roles.filter(({ name }) => !there.has(name))) {
    const { password, verifier } = makePassword();
    if (role.login) logins.set(role.name, password);
    for (const sql of roleStatements(role, verifier)) await query(sql);
  }
  return logins;
}

function roleStatements(role: Role, verifier: string): readonly string[] {
  const name = ident(role.name);
  const words = [
    ...(role.login ? [`LOGIN PASSWORD ${literal(verifier)}`] : []),
    ...(role.bypassRls ? ['BYPASSRLS'] : []),
    ...(role.inherit === false ? ['NOINHERIT'] : []),
  ];
  return [
    ...(words.length === 0 ? [] : [`ALTER ROLE ${name} ${words.join(' ')}`]),
    ...Object.entries(role.settings).map(
      ([setting, value]) => `ALTER ROLE ${name} SET ${ident(setting)} = ${settingValue(setting, value)}`,
    ),
    ...role.memberOf.map((group) => `GRANT ${ident(group)} TO ${name}`),
  ];
}

interface Entrance {
  readonly role: string;
  readonly logins: ReadonlyMap<string, string>;
  readonly roles: readonly Role[];
}

/** Who the server knew before keeps its password: the superuser's session takes the role and its settings on instead. */
function urlAs(url: string, { role, logins, roles }: Entrance): string {
  const as = new URL(url);
  const password = logins.get(role);
  if (password !== undefined) {
    as.username = encodeURIComponent(role);
    as.password = password;
    return as.href;
  }
  const settings = roles.find(({ name }) => name === role)?.settings ?? {};
  const options = Object.entries({ ...settings, role }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/([\\ ])/g, '\\$1')}`,
  );
  as.searchParams.set('options', options.join(' '));
  return as.href;
}
