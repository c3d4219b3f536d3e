// The ways rows can take, each under a name that a child process can be told.
import { archiveFiles } from '../../src/traits/retention/files/index.ts';
import { folderStore } from '../../src/traits/retention/files/folder-store.ts';
import type { Kept } from './retention-stand.ts';

const schema = (table: string) => ({ to: 'schema', table, for: '2 months' }) as const;

/** Every way, with its time online and in the archive short enough that each month something comes and something goes. */
export function paths(folder: string): Readonly<Record<string, Kept>> {
  const store = archiveFiles(folderStore(folder));
  const batch = { rows: 20, pauseMs: 0 };
  const files = (table: string) => ({ to: 'files', table, for: '2 months', store }) as const;
  return {
    whole_schema: { online: '1 month', archive: schema('k1'), then: 'delete' },
    whole_files: { online: '1 month', archive: files('k2'), then: 'delete' },
    whole_gone: { online: '1 month', then: 'delete' },
    rows_schema: { of: 'notes', online: '1 month', archive: schema('k3'), then: 'delete', batch },
    rows_files: { of: 'notes', online: '1 month', archive: files('k4'), then: 'delete', batch },
    rows_gone: { of: 'notes', online: '1 month', then: 'delete', batch },
    day_files: { online: '1 month', archive: files('k6'), then: 'delete', exact: 'day', batch },
    day_gone: { online: '1 month', then: 'delete', exact: 'day', batch },
    day_schema: { online: '1 month', archive: schema('k5'), then: 'delete', exact: 'day', batch },
  };
}
