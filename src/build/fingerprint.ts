// One value for a whole structure: the same on a clone, another after any change that matters.
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { catalogueDump, type Dump } from './catalogue-dump.ts';

/**
 * The fingerprint of a database's structure: without partitions, the ledger and anything that changes by running.
 * @param pool sessions to the database; one is used
 * @returns SHA-256 in hexadecimal
 */
export async function fingerprint(pool: Pool): Promise<string> {
  return fingerprintOf(await catalogueDump(pool));
}

/** The same of a dump that was read already. */
export function fingerprintOf(dump: Dump): string {
  const hash = createHash('sha256');
  for (const line of dump) {
    if (line.partition) continue;
    hash.update(JSON.stringify([line.object, line.facet, line.value, line.text]));
  }
  return hash.digest('hex');
}
