// Whether the database lets us in, and what it is.
import type { Definition } from '../define/database.ts';
import { release } from '../server/index.ts';
import { engineFamilies } from './families.ts';
import type { Part } from './parts.ts';

const VERSION_SQL = `SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) AS version`;

/** The part that asks for the server's version; what is known of the release and the definition holds without it. */
export function databasePart(definition: Definition): Part {
  const build = {
    metric: 'holdfast_build_info',
    labels: { version: release, definition: definition.name },
    value: 1,
  } as const;
  return {
    name: 'database',
    metrics: engineFamilies,
    whenDown: [build, { metric: 'holdfast_database_up', labels: {}, value: 0 }],
    collect: async (query) => {
      const [row] = await query<{ version: string }>(VERSION_SQL);
      return [
        build,
        { metric: 'holdfast_database_up', labels: {}, value: 1 },
        { metric: 'holdfast_database_info', labels: { server_version: row?.version ?? '' }, value: 1 },
      ];
    },
  };
}
