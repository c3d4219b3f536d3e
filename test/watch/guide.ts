// What docs/guide/watch.md tells its reader to run, so that it is run.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The grants of the guide's SQL block, for this role. */
export function guideGrants(role: string): string[] {
  const guide = readFileSync(resolve(import.meta.dirname, '../../docs/guide/watch.md'), 'utf8');
  const [, block = ''] = /```sql\n(.*?)```/s.exec(guide) ?? [];
  const statements = block
    .replaceAll('watch_role', role)
    .replaceAll(/--.*/g, '')
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one.startsWith('GRANT'));
  if (statements.length < 4) throw new Error('the guide lists no grants');
  return statements;
}
