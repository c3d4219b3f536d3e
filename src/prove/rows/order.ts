// The order in which tables are filled: what is referred to before what refers to it.
import type { Reference, Table, Type } from './catalogue.ts';
import type { Owners } from './owners.ts';
import { refusesNull } from './candidates.ts';

/** Whether a reference must hold at once: none of its columns takes NULL. */
export function isRequired(table: Table, reference: Reference, types: ReadonlyMap<number, Type>): boolean {
  return reference.columns.every((name) => {
    const column = table.columns.find((one) => one.name === name);
    return column !== undefined && refusesNull(column, types);
  });
}

/**
 * Orders tables so that each comes after those it refers to, and after the one where its owners' names are born. In a ring, references that may stay empty at first are
 * passed over; of a ring of nothing but required ones, the table with the fewest of them comes first.
 */
export function ordered(
  tables: readonly Table[],
  given: { readonly types: ReadonlyMap<number, Type>; readonly owners: Owners },
): readonly Table[] {
  const { types, owners } = given;
  const known = new Set(tables.map(({ id }) => id));
  const done = new Set<string>();
  let waiting = [...tables];
  const result: Table[] = [];
  const waitsForOwner = (table: Table): boolean =>
    sourcesFor(table, owners).some((source) => known.has(source) && source !== table.id && !done.has(source));
  const open = (table: Table, all: boolean): number =>
    (all && waitsForOwner(table) ? 1 : 0) +
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

function sourcesFor(table: Table, owners: Owners): readonly string[] {
  return table.columns.flatMap(({ name }) => {
    const number = owners.classOf(table.id, name);
    const source = number === undefined ? undefined : owners.sources.get(number);
    return source === undefined ? [] : [source.table];
  });
}

/** Which ring of references each table is in: tables that lead to one another have the same number. */
export function ringsOf(tables: readonly Table[]): ReadonlyMap<string, number> {
  const leads = new Map(tables.map((table) => [table.id, reachable(table, tables)]));
  const rings = new Map<string, number>();
  for (const [at, { id }] of tables.entries()) {
    if (rings.has(id)) continue;
    rings.set(id, at);
    for (const other of leads.get(id) ?? []) if (leads.get(other)?.has(id) === true) rings.set(other, at);
  }
  return rings;
}

function reachable(from: Table, tables: readonly Table[]): ReadonlySet<string> {
  const byId = new Map(tables.map((table) => [table.id, table]));
  const found = new Set<string>();
  const queue = [from];
  for (let table = queue.pop(); table !== undefined; table = queue.pop()) {
    for (const { to } of table.references) {
      const next = byId.get(to);
      if (next === undefined || found.has(to)) continue;
      found.add(to);
      queue.push(next);
    }
  }
  return found;
}
