// Whose each row is in the end: triggers write rows of their own, and change the ones that were made.
import { qualified } from '../../sql.ts';
import type { Table } from './catalogue.ts';
import type { Filling, Made } from './filling.ts';

const MOST_ROWS = 5_000;

/** Every row of every table, by table, each with its world; 0 for rows that are nobody's. */
export async function attribute(filling: Filling): Promise<ReadonlyMap<string, readonly Made[]>> {
  const found = new Map<string, Made[]>();
  for (const table of filling.catalogue.tables) {
    const rows = await filling.ask<Readonly<Record<string, string | null>>>(
      `SELECT ${filling.returning(table)} FROM ${table.partitionedBy === null ? 'ONLY ' : ''}${qualified(table.of)} LIMIT ${MOST_ROWS}`,
    );
    const known = new Map(filling.all(table.id).map((row) => [placeOf(row), row.world]));
    found.set(
      table.id,
      rows.map((row) => {
        const made = filling.made(table, 0, row);
        return { ...made, world: known.get(placeOf(made)) ?? worldOf(filling, table, made) };
      }),
    );
  }
  return found;
}

function placeOf(row: Made): string {
  return `${row.at.partition} ${row.at.tuple}`;
}

/** A row that was not made here, or was moved since: its key, its owner's name, or a marker in it says whose it is. */
function worldOf(filling: Filling, table: Table, row: Made): number {
  const key = table.keys.find(({ primary }) => primary)?.columns ?? [];
  const same = filling
    .all(table.id)
    .find((other) => key.length > 0 && key.every((name) => other.values[name] === row.values[name]));
  if (same !== undefined) return same.world;
  for (let world = 1; world < filling.markers.length; world += 1) {
    const named = table.columns.some(({ name }) => {
      const number = filling.owners.classOf(table.id, name);
      return (
        number !== undefined &&
        !filling.owners.common.has(number) &&
        row.values[name] !== null &&
        filling.nameOf(number, world) === row.values[name]
      );
    });
    if (named) return world;
  }
  const text = Object.values(row.values).join(' ');
  const marked = filling.markers.findIndex((marker, world) => world > 0 && text.includes(marker));
  return Math.max(0, marked);
}
