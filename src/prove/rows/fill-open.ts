// References that could not be filled when their row was made: the rows they want are there now.
import { ident, qualified } from '../../sql.ts';
import type { Reference, Table } from './catalogue.ts';
import type { Filling, Made } from './filling.ts';
import type { Population } from './population.ts';

/** One such reference. */
export interface Open {
  readonly row: Made;
  readonly table: Table;
  readonly reference: Reference;
}

/**
 * Fills them by UPDATE. One that cannot be filled stays empty where it may; a row that would point to nothing is taken
 * away again.
 */
export async function fillOpen(
  filling: Filling,
  open: readonly Open[],
  notes: Population['notes'][number][],
): Promise<void> {
  const moved = new Map<Made, Made>();
  for (const { row, table, reference } of open) {
    const current = moved.get(row) ?? row;
    const target = targetOf(filling, current, reference);
    const dangles =
      reference.columns.every((name) => current.values[name] !== null) &&
      !pointsSomewhere(filling, current, reference);
    const updated =
      target === undefined ? undefined : await update(filling, { row: current, table, reference, target });
    if (updated !== undefined) {
      moved.set(row, updated);
      filling.replace(current, updated);
    } else if (dangles) {
      await remove(filling, current);
      notes.push({ of: table.of, what: 'a row that could refer to nothing was taken away again' });
    }
  }
}

function candidates(filling: Filling, row: Made, reference: Reference): readonly Made[] {
  return filling
    .rowsFor(reference.to, row.world)
    .filter((other) =>
      reference.columns.every((_, at) => other.values[reference.toColumns[at] ?? ''] != null),
    );
}

/** Another row before the row itself. Columns that the reference shares with others keep their value. */
function targetOf(filling: Filling, row: Made, reference: Reference): Made | undefined {
  const fitting = candidates(filling, row, reference).filter((other) =>
    reference.columns.every(
      (name, at) =>
        row.values[name] === null ||
        !isShared(filling, row, { reference, name }) ||
        row.values[name] === other.values[reference.toColumns[at] ?? ''],
    ),
  );
  return fitting.find((other) => other !== row) ?? fitting[0];
}

function isShared(
  filling: Filling,
  row: Made,
  given: { readonly reference: Reference; readonly name: string },
): boolean {
  const table = filling.catalogue.tables.find(({ id }) => id === row.table);
  return (
    filling.owners.classOf(row.table, given.name) !== undefined ||
    (table?.references.some((other) => other !== given.reference && other.columns.includes(given.name)) ??
      false)
  );
}

function pointsSomewhere(filling: Filling, row: Made, reference: Reference): boolean {
  return filling
    .all(reference.to)
    .some((other) =>
      reference.columns.every((name, at) => row.values[name] === other.values[reference.toColumns[at] ?? '']),
    );
}

async function update(
  filling: Filling,
  given: { readonly row: Made; readonly table: Table; readonly reference: Reference; readonly target: Made },
): Promise<Made | undefined> {
  const { row, table, reference, target } = given;
  const sets = reference.columns.map((name, at) => `${ident(name)} = $${at + 3}`);
  const values = reference.toColumns.map((name) => target.values[name] ?? null);
  try {
    await filling.enter(row.world, table.of.schema);
    const [now] = await filling.ask<Readonly<Record<string, string | null>>>(
      `UPDATE ${qualified(table.of)} SET ${sets.join(', ')}
       WHERE tableoid = $1::pg_catalog.regclass AND ctid = $2::pg_catalog.tid RETURNING ${filling.returning(table)}`,
      [row.at.partition, row.at.tuple, ...values],
    );
    return now === undefined ? undefined : filling.made(table, row.world, now);
  } catch {
    return undefined;
  }
}

async function remove(filling: Filling, row: Made): Promise<void> {
  await filling.ask('SET session_replication_role = replica');
  await filling
    .ask(
      `DELETE FROM ${qualified(row.of)} WHERE tableoid = $1::pg_catalog.regclass AND ctid = $2::pg_catalog.tid`,
      [row.at.partition, row.at.tuple],
    )
    .catch(() => undefined);
  await filling.ask('SET session_replication_role = origin');
  filling.forget(row);
}
