// Rows that went are put back as a restore does: past triggers and foreign keys.
import { withClient } from '../../server/index.ts';
import { ident, qualified } from '../../sql.ts';
import type { Ground } from './ground.ts';
import { readRelations } from './relations.ts';
import type { Rows } from './snapshot.ts';

/**
 * Puts back the subject's rows that were deleted from tables, archives included. What lies in files and what was changed
 * stays as it is.
 * @returns how many came back
 */
export async function putBack(ground: Ground, before: readonly Rows[]): Promise<number> {
  const relations = await readRelations(ground);
  return withClient(ground.url, async (client) => {
    let rows = 0;
    await client.query(`SET session_replication_role = replica`);
    for (const was of before) {
      const relation = relations.find((one) => one.schema === was.schema && one.name === was.name);
      const table = was.filed ? undefined : relation;
      if (table === undefined || !(was.moves || was.rule?.fate === 'deleted')) continue;
      // Sums come back with what they are sums of.
      if (was.moves) await client.query(`DELETE FROM ${qualified(table)}`);
      const columns = table.columns.filter((column) => !column.generated).map((column) => ident(column.name));
      for (const row of was.moves ? [...was.theirs, ...was.others] : was.theirs) {
        const done = await client
          .query(
            `INSERT INTO ${qualified(table)} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
             SELECT ${columns.map((name) => `r.${name}`).join(', ')}
             FROM pg_catalog.jsonb_populate_record(NULL::${qualified(table)}, $1) AS r ON CONFLICT DO NOTHING`,
            [JSON.stringify(row)],
          )
          .then(
            (result) => result.rowCount ?? 0,
            // A part that has left an archive's table takes none back; the others show the same.
            () => 0,
          );
        rows += was.moves ? 0 : done;
      }
    }
    return rows;
  });
}
