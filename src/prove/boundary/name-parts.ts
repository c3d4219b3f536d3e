// Owners whose name has more than one part, as a region and a number: which settings say the parts, and which of them
// alone names nobody.
import type { Catalogue, Relation } from './catalogue.ts';
import type { Comparison } from './comparisons.ts';

/** A setting with the columns it is compared with. */
interface Compared {
  readonly compared: readonly Comparison[];
}

/** A name in parts. */
export interface NameInParts<L extends Compared> {
  /** The table whose key is the name. */
  readonly table: Relation;
  /** Its key's columns in order, each with the setting it is compared with. */
  readonly parts: readonly Part<L>[];
  /** Parts by which owners may differ while they have the others in common. */
  readonly telling: readonly Part<L>[];
  /** Tables that hold every part. */
  readonly holding: ReadonlySet<number>;
}

/** One part of a name. */
export interface Part<L extends Compared> {
  readonly line: L;
  readonly column: string;
}

/** Names that are an owner's all by themselves, whatever stands beside them in a key. */
export interface Alone {
  readonly owners: readonly string[];
}

// Who works for an owner: what one of them may see of another's is the owner's affair.
const PERSON =
  /(^|_)(user|member|person|people|employee|author|login|profile|subject|staff|agent|worker|actor|email)(_|$)/i;

/**
 * Names in parts: a table's primary key has more than one column, and policies compare each with a setting of its own. At
 * least half of the tables that hold all parts must ask for all: where most ask for less, a part is a matter within the
 * owner. A part tells owners apart where what is left of the name names nobody: it is no key of any table, the server does
 * not make it, and it is not called as owners are. Pure.
 * @param lines one for each setting
 * @param owners columns whose name says that they name an owner: `tenant_id`
 */
export function namesInParts<L extends Compared>(
  catalogue: Catalogue,
  { lines, owners }: { readonly lines: readonly L[] } & Alone,
): readonly NameInParts<L>[] {
  const found = new Map<string, NameInParts<L>>();
  for (const key of catalogue.keys.filter((one) => one.primary && one.columns.length > 1)) {
    const table = catalogue.relations.find((one) => one.oid === key.of);
    const parts = key.columns.flatMap((column): Part<L>[] => {
      const line = lines.find((one) => asks(one, key.of, column));
      return line === undefined ? [] : [{ line, column }];
    });
    if (table === undefined || parts.length < key.columns.length) continue;
    if (new Set(parts.map(({ line }) => line)).size < parts.length) continue;
    const holding = holders(catalogue, parts);
    const asking = holding.filter(({ oid }) => parts.every(({ line }) => asks(line, oid)));
    if (asking.length * 2 < holding.length) continue;
    const telling = parts.filter((part) => {
      const rest = parts.filter((one) => one !== part);
      return !PERSON.test(part.column) && !namesAlone(catalogue, { rest, table, holding, owners });
    });
    const name = JSON.stringify(parts.map(({ line }) => lines.indexOf(line)).sort());
    if (telling.length === 0 || found.has(name)) continue;
    found.set(name, { table, parts, telling, holding: new Set(holding.map(({ oid }) => oid)) });
  }
  return [...found.values()];
}

/** Whether a policy, or what it calls, compares the setting with a column of the table itself. */
function asks({ compared }: Compared, table: number, column?: string): boolean {
  return compared.some(
    (one) => !one.lookUp && one.relation.oid === table && (column === undefined || one.column === column),
  );
}

/** Tables that have a column for each part: the one it is compared with, or one of the same name. */
function holders<L extends Compared>(catalogue: Catalogue, parts: readonly Part<L>[]): readonly Relation[] {
  return catalogue.relations.filter(
    (one) =>
      !one.partition &&
      (one.kind === 'r' || one.kind === 'p') &&
      parts.every(({ line, column }) => column in one.columns || asks(line, one.oid)),
  );
}

interface Rest<L extends Compared> extends Alone {
  readonly rest: readonly Part<L>[];
  readonly table: Relation;
  readonly holding: readonly Relation[];
}

/** Whether some parts of a name are an owner's name by themselves. */
function namesAlone<L extends Compared>(catalogue: Catalogue, of: Rest<L>): boolean {
  const { rest, table, owners } = of;
  if (rest.some(({ column }) => owners.includes(column) || PERSON.test(column))) return true;
  if (rest.some(({ column }) => table.columns[column] === 'uuid')) return true;
  const columns = leadingTo(catalogue, of);
  if (catalogue.made.some((one) => columns.has(`${one.of} ${one.column}`))) return true;
  const names = new Set(rest.map(({ column }) => column));
  return catalogue.keys.some(
    (key) =>
      key.columns.every((column) => columns.has(`${key.of} ${column}`)) ||
      key.columns.every((column) => names.has(column)),
  );
}

/** The parts' columns in every table that holds them, and whatever foreign keys lead to from there. */
function leadingTo<L extends Compared>(
  { references }: Catalogue,
  { rest, holding }: Pick<Rest<L>, 'rest' | 'holding'>,
): ReadonlySet<string> {
  const found = new Set(holding.flatMap(({ oid }) => rest.map(({ column }) => `${oid} ${column}`)));
  const links = references.flatMap(({ from, to, columns, toColumns }) =>
    columns.map((column, at) => [`${from} ${column}`, `${to} ${toColumns[at] ?? ''}`] as const),
  );
  for (const one of found) for (const [from, to] of links) if (from === one) found.add(to);
  return found;
}
