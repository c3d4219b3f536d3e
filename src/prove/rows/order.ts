// The order in which tables are filled: what is referred to before what refers to it.
import type { Reference, Table, Type } from './catalogue.ts';
import { refusesNull } from './candidates.ts';

/** Whether a reference must hold at once: none of its columns takes NULL. */
export function isRequired(table: Table, reference: Reference, types: ReadonlyMap<number, Type>): boolean {
  return reference.columns.every((name) => {
    const column = table.columns.find((one) => one.name === name);
    return column !== undefined && refusesNull(column, types);
  });
}

/**
 * Orders tables so that each comes after those it refers to. In a ring, references that may stay empty at first are
 * passed over; of a ring of nothing but required ones, the table with the fewest of them comes first.
 */
export function ordered(tables: readonly Table[], types: ReadonlyMap<number, Type>): readonly Table[] {
  const known = new Set(tables.map(({ id }) => id));
  const done = new Set<string>();
  let waiting = [...tables];
  const result: Table[] = [];
  const open = (table: Table, all: boolean): number =>
    table.references.filter(
      (reference) =>
        known.has(reference.to) &&
        reference.to !== table.id &&
        !done.has(reference.to) &&
        (all || isRequired(table, reference, types)),
    ).length;
  while (waiting.length > 0) {
    const ready = waiting.filter((table) => open(table, true) === 0);
    const [least] = waiting.toSorted(
      (a, b) => open(a, false) - open(b, false) || open(a, true) - open(b, true),
    );
    const next = ready.length > 0 ? ready : [least as Table];
    for (const table of next) {
      result.push(table);
      done.add(table.id);
    }
    waiting = waiting.filter((table) => !done.has(table.id));
  }
  return result;
}
