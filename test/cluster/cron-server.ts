// A server of its own with pg_cron preloaded: Debian's PostgreSQL 15 with postgresql-15-cron.
import { existsSync } from 'node:fs';
import { embedded, listBinaries, type Embedded } from '../../src/server/index.ts';

const CONTROL = '/usr/share/postgresql/15/extension/pg_cron.control';

/** Why there is no such server here; undefined where there is one. */
export async function noCron(): Promise<string | undefined> {
  if (!existsSync(CONTROL)) return 'pg_cron for PostgreSQL 15 (postgresql-15-cron) is not installed here';
  const { found } = await listBinaries();
  return found.some(({ major }) => major === 15) ? undefined : 'PostgreSQL 15 is not installed here';
}

/**
 * Starts the server. pg_cron lives in its database `postgres`; jobs log in over loopback as the superuser, without a
 * password, because pg_cron has none to give.
 */
export async function cronServer(): Promise<Embedded> {
  return embedded({
    ephemeral: true,
    major: 15,
    settings: {
      shared_preload_libraries: 'pg_cron',
      'cron.database_name': 'postgres',
      'cron.use_background_workers': 'on',
      fsync: 'off',
    },
  });
}
