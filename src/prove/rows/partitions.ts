// A partitioned table without partitions takes no row; in a copy it gets one, made as its owner would make it.
import type { RelationName } from '../../define/model.ts';
import { close, connect } from '../../server/index.ts';
import { ident, qualified } from '../../sql.ts';
import type { Ground, Population } from './population.ts';

const BARE_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, p.partstrat AS strategy, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner
  FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_class c ON c.oid = p.partrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ORDER BY 1, 2`;

const SUFFIX = '_hf_all';
const ROOM = 63 - SUFFIX.length;

/** Makes a partition for everything where there is none; gives what was made. */
export async function missingPartitions(
  copy: Ground,
  leaveOut: (of: RelationName) => boolean,
): Promise<Population['notes']> {
  const all = await copy.query<{ schema: string; name: string; strategy: string; owner: string }>(BARE_SQL);
  const bare = all.filter((of) => !leaveOut(of));
  if (bare.length === 0) return [];
  const client = await connect(copy.url);
  try {
    const notes: Population['notes'][number][] = [];
    for (const { schema, name, strategy, owner } of bare) {
      const partition = { schema, name: `${name.slice(0, ROOM)}${SUFFIX}` };
      const bounds = strategy === 'h' ? 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' : 'DEFAULT';
      const sql = `CREATE TABLE ${qualified(partition)} PARTITION OF ${qualified({ schema, name })} ${bounds}`;
      // As its owner, so that the owner's default privileges open the new partition as they would on the target.
      await client.query(`SET ROLE ${ident(owner)}`);
      const failed = await client.query(sql).then(
        () => false,
        () => true,
      );
      await client.query('RESET ROLE');
      if (failed) await client.query(sql);
      notes.push({
        of: { schema, name },
        what: `it has no partition; the copy has ${partition.name} for all rows`,
      });
    }
    return notes;
  } finally {
    await close(client);
  }
}
