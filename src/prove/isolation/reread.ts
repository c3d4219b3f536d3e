// Rows as a session is sent them: true is `t`, an address has no mask, whatever a cast to text would write.
import { label } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import type { Copy } from '../copy/index.ts';
import type { Population, Row } from '../rows/index.ts';
import { ALIKE } from './attacker.ts';
import type { Target } from './objects.ts';
import { whereRow } from './stage.ts';

/** The population with every value as the server sends it; a row that cannot be found again by its key stays as it is. */
export async function reread(
  copy: Copy,
  { population, targets }: { population: Population; targets: readonly Target[] },
): Promise<Population> {
  const tables = new Map(targets.map((target) => [label(target), target]));
  const client = await copy.pool.connect();
  const read = async (row: Row): Promise<Row> => {
    const table = tables.get(label(row.of));
    if (table === undefined) return row;
    const names = table.columns.map((column) => column.name);
    const { rows } = await client
      .query<(string | null)[]>({
        text: `SELECT ${names.map(ident).join(', ')} FROM ${qualified(table)} WHERE ${whereRow(table, row)}`,
        rowMode: 'array',
        types: { getTypeParser: () => (value: unknown) => value },
      })
      .catch(async () => {
        await client.query(`ROLLBACK; BEGIN; ${ALIKE}`);
        return { rows: [] };
      });
    const [found] = rows;
    if (found === undefined || rows.length > 1) return row;
    return { of: row.of, values: Object.fromEntries(names.map((name, at) => [name, found[at] ?? null])) };
  };
  try {
    await client.query(`BEGIN; ${ALIKE}`);
    const worlds = [];
    for (const world of population.worlds) {
      const rows = [];
      for (const row of world.rows) rows.push(await read(row));
      worlds.push({ ...world, rows });
    }
    const shared = [];
    for (const row of population.shared) shared.push(await read(row));
    return { ...population, worlds, shared };
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}
