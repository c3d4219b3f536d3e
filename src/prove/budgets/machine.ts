// What the figures were taken on: without it they say nothing.
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { CatalogueQuery } from '../../define/index.ts';

const SERVER_SQL = `
  SELECT pg_catalog.current_setting('server_version') AS version,
         pg_catalog.string_agg(s.name || ' = ' || pg_catalog.current_setting(s.name), ', ' ORDER BY s.name) AS settings
  FROM pg_catalog.pg_settings s
  WHERE s.name IN ('shared_buffers', 'work_mem', 'effective_cache_size', 'fsync', 'synchronous_commit',
                   'full_page_writes', 'max_wal_size', 'jit', 'random_page_cost', 'ssl', 'shared_preload_libraries')`;

/** Processor, memory, system and server, each in a line. */
export async function describeMachine(query: CatalogueQuery): Promise<readonly string[]> {
  const [server] = await query<{ version: string; settings: string }>(SERVER_SQL);
  const [processor] = cpus();
  return [
    `machine: ${cpus().length} x ${processor?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}, load ${loadavg()[0]?.toFixed(2) ?? '?'} at the start`,
    `client: Node ${process.version}, one process`,
    `server: PostgreSQL ${server?.version ?? '?'}; ${server?.settings ?? ''}`,
  ];
}
