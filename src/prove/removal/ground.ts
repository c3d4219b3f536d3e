// Where a removal is carried out for real: the definition built in a scratch database, with all it keeps outside in a folder.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withBuilt } from '../../build/index.ts';
import { type CatalogueQuery, type Definition, indoors, type ToldOutside } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import type { Clock } from '../../keep/index.ts';
import { embedded, listBinaries, majorOf, openPool, serverVersion, withClient } from '../../server/index.ts';
import { withOptions } from '../copy/session.ts';

/** A definition in force, with nobody else in it. */
export interface Ground {
  /** What is proved, as it works indoors. */
  readonly definition: Definition;
  /** A superuser's sessions. */
  readonly url: string;
  /** One statement as a superuser, with `pg_catalog` as its path. */
  readonly query: CatalogueQuery;
  /** When the rows were made. */
  readonly now: Date;
  /** Where archives and whatever else lies outside the database are. */
  readonly folder: string;
  /** Hears what would have been told to somebody outside, while it is set. */
  hears: (what: ToldOutside) => Promise<void>;
}

/** What {@link withGround} needs. */
export interface GroundRequest {
  readonly definition: Definition;
  readonly baseDir?: string | undefined;
  /** The database that the definition is for: a server of its major is taken where one is installed. It is only asked that. */
  readonly url?: string | undefined;
  /** A server to work on, as a superuser; absent: an embedded one. */
  readonly serverUrl?: string | undefined;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

// Nothing on it outlives the proof.
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' };

/**
 * Builds the definition for the time of `work`; database, roles and folder are gone afterwards.
 * @throws HoldfastError HF_REMOVAL_SERVER when the role is no superuser; as `withBuilt` and `embedded` do
 */
export async function withGround<T>(
  request: GroundRequest,
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-removal-'));
  try {
    if (request.serverUrl !== undefined)
      return await builtOn(request, { url: request.serverUrl, folder }, work);
    const server = await embedded({ ephemeral: true, settings: SETTINGS, ...(await majorFor(request.url)) });
    try {
      return await builtOn(request, { url: server.url, folder }, work);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function majorFor(url: string | undefined): Promise<{ readonly major?: number }> {
  if (url === undefined) return {};
  const major = majorOf(await withClient(url, async (client) => serverVersion(client)));
  const { found } = await listBinaries();
  return found.some((binaries) => binaries.major === major) ? { major } : {};
}

async function builtOn<T>(
  { definition, baseDir, now, signal }: GroundRequest,
  place: { readonly url: string; readonly folder: string },
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const ear: Pick<Ground, 'hears'> = { hears: async () => undefined };
  const own = indoors(definition, place.folder, async (what) => ear.hears(what));
  const options = {
    url: place.url,
    now,
    ...(baseDir !== undefined && { baseDir }),
    ...(signal !== undefined && { signal }),
  };
  return withBuilt(own, options, async (built) => {
    const url = withOptions(built.url);
    const pool = openPool(withOptions(built.url, { search_path: 'pg_catalog' }), {
      max: 4,
      applicationName: 'holdfast removal',
    });
    const query: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
      (await pool.query(sql, [...values])).rows as Row[];
    try {
      await refuseWeak(query);
      return await work(
        Object.assign(ear, { definition: own, url, query, now, folder: place.folder }) satisfies Ground,
      );
    } finally {
      await pool.end();
    }
  });
}

const SUPER_SQL =
  'SELECT rolname AS role, rolsuper AS super FROM pg_catalog.pg_roles WHERE rolname = current_user';

async function refuseWeak(query: CatalogueQuery): Promise<void> {
  const [row] = await query<{ role: string; super: boolean }>(SUPER_SQL);
  if (row?.super === true) return;
  throw new HoldfastError({
    code: 'HF_REMOVAL_SERVER',
    subject: `role ${row?.role ?? ''}`,
    what: 'it is no superuser, so it can neither make rows past triggers nor look into statistics and large objects.',
    fix: 'Name a server of your own as its superuser, or none: an embedded server is started then.',
  });
}

/** A clock that stands at an instant; waits are real and short. */
export function clockAt(now: Date): Clock {
  const started = performance.now();
  return {
    now: () => new Date(now),
    monotonicMs: () => performance.now() - started,
    sleep: async (ms) => new Promise<void>((resolve) => void setTimeout(resolve, Math.min(ms, SHORT_MS))),
  };
}

const SHORT_MS = 5;
