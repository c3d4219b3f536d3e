// Guesses from a catalogue where one owner's rows end and another's begin, and says how.
import { label } from '../../define/model.ts';
import type { Boundary } from '../../define/proof.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { readCatalogue, type Catalogue, type Reference, type Relation } from './catalogue.ts';
import { spokenName, type Spoken } from './claims.ts';
import { comparisons, type Comparison } from './comparisons.ts';
import { namesInParts, type NameInParts, type Part } from './name-parts.ts';
import { applicationRoles } from './roles.ts';

/** What a person already knows of a database. */
export interface BoundaryHints {
  /** The column that says whose a row is: `tenant_id`. */
  readonly column?: string;
  /** The setting that says for whom a session works: `app.tenant`. */
  readonly setting?: string;
  /** Roles that an application works as. */
  readonly roles?: readonly string[];
}

/** Boundaries, and for people how each was guessed. */
export interface Guess {
  readonly boundaries: readonly Boundary[];
  readonly said: readonly string[];
}

/** Names of owner columns, the usual one first; used where no policy compares a column with a setting. */
export const OWNER_COLUMNS = [
  'tenant_id',
  'organization_id',
  'organisation_id',
  'org_id',
  'account_id',
  'workspace_id',
  'company_id',
  'customer_id',
  'team_id',
  'client_id',
  'store_id',
  'shop_id',
  'tenant',
  'user_id',
  'owner_id',
] as const;

/**
 * Guesses boundaries from the catalogue alone: the settings that policies, guarded views and the functions these call
 * compare with columns; else the commonest owner column. Every table with that column is somebody's, as is the table its
 * foreign keys lead to, by its key. A table without the column belongs to the owner of the row its foreign keys lead to.
 * A name in parts gives one boundary more for each part that owners may differ in alone, with the others `common`.
 * Reads only. Nothing to go by: no boundaries, and that is said.
 * @param hints what is known already; it wins over what is guessed
 */
export async function guessBoundaries(query: CatalogueQuery, hints: BoundaryHints = {}): Promise<Guess> {
  const catalogue = await readCatalogue(query);
  const found = comparisons(catalogue);
  const roles = hints.roles ?? (await applicationRoles(query)).map((role) => role.name);
  const said: string[] = [];
  const lines = linesOf(catalogue, { found, hints, said });
  const boundaries: Boundary[] = [];
  for (const line of lines) {
    const ownSaid: string[] = [];
    const boundary = boundaryOf(line, { catalogue, roles, said: ownSaid });
    const first = boundaries[0];
    if (first !== undefined && first.tables.length > 0 && within(boundary, first)) {
      const { of, column } = boundary.tables[0] ?? { of: { schema: '', name: '' }, column: '' };
      boundaries[0] = {
        ...first,
        carries: [...(first.carries ?? []), { ...spokenOf(line), of, column }],
      };
      said.push(`A session also carries ${spokenName(line)}: it is compared with ${label(of)}.${column}.`);
    } else {
      boundaries.push(boundary);
      said.push(...ownSaid);
    }
  }
  const [whole] = boundaries;
  if (whole !== undefined) boundaries.push(...inParts(catalogue, { lines, roles, said, whole }));
  if (boundaries.length === 0) {
    said.push(
      `No policy compares a column with a session setting and no table has a column named like ${OWNER_COLUMNS.slice(0, 3).join(', ')}: whose the rows are is not known.`,
    );
  }
  if (hints.roles === undefined) said.push(...(await saidOfRoles(query)));
  return { boundaries, said };
}

interface Naming {
  readonly lines: readonly Line[];
  readonly roles: readonly string[];
  readonly said: string[];
  /** The boundary in which the owners differ in whatever they differ. */
  readonly whole: Boundary;
}

/** Boundaries between owners that have all parts of their name in common but one. */
function inParts(catalogue: Catalogue, { lines, roles, said, whole }: Naming): Boundary[] {
  return namesInParts(catalogue, { lines, owners: OWNER_COLUMNS }).flatMap((name) => {
    const settings = name.parts.map(({ line }) => spokenName(line));
    said.push(
      `An owner's name has ${name.parts.length} parts, ${settings.join(' and ')}: together they are the key of ${label(name.table)}. ` +
        `Owners that differ in ${name.telling.map(({ line }) => spokenName(line)).join(' or ')} alone are attacked in runs of their own.`,
    );
    return name.telling.map((part) => partBoundary(catalogue, { name, part, roles, whole }));
  });
}

function partBoundary(
  catalogue: Catalogue,
  {
    name,
    part,
    roles,
    whole,
  }: Pick<Naming, 'roles' | 'whole'> & { name: NameInParts<Line>; part: Part<Line> },
): Boundary {
  const line = { ...part.line, columns: [part.column] };
  const settings = new Set(name.parts.map((one) => spokenName(one.line)));
  const { carries: all = [], ...same } = whole;
  const carries = all.filter((one) => !settings.has(spokenName(one)));
  const rest = name.parts.filter((one) => one !== part);
  const among = amongOf(catalogue, { name, part });
  return {
    ...(spokenName(same) === spokenName(line)
      ? same
      : boundaryOf(line, { catalogue, roles, said: [], among })),
    ...(carries.length === 0 ? {} : { carries }),
    common: rest.map((one) => ({ ...spokenOf(one.line), of: nameOf(name.table), column: one.column })),
  };
}

/**
 * Tables in which a part of a name says whose a row is: those that hold all parts, those where a policy asks for this one,
 * and what their foreign keys lead to by it. Any other may have a column of that name by chance.
 */
function amongOf(
  { references }: Catalogue,
  { name, part }: { readonly name: NameInParts<Line>; readonly part: Part<Line> },
): ReadonlySet<number> {
  const asked = part.line.compared.filter((one) => !one.lookUp).map((one) => one.relation.oid);
  const found = new Set([...name.holding, ...asked]);
  for (const oid of found) {
    for (const one of references)
      if (one.from === oid && one.columns.includes(part.column)) found.add(one.to);
  }
  return found;
}

/** One setting with the columns it is compared with. */
interface Line extends Spoken {
  readonly compared: readonly Comparison[];
  /** Columns that say whose a row is in every table that has them. */
  readonly columns: readonly string[];
}

interface Sources {
  readonly found: readonly Comparison[];
  readonly hints: BoundaryHints;
  readonly said: string[];
}

function linesOf(catalogue: Catalogue, { found, hints, said }: Sources): Line[] {
  const settings = new Map<string, Comparison[]>();
  for (const one of found) {
    if (hints.setting !== undefined && one.setting !== hints.setting) continue;
    const key = JSON.stringify([one.setting, one.keys]);
    settings.set(key, [...(settings.get(key) ?? []), one]);
  }
  const lines = [...settings.values()].map((compared): Line => {
    const { setting = '', keys = [] } = compared[0] ?? {};
    const names = [...new Set(compared.map((one) => one.column))].filter((name) => name !== 'id');
    const within = keys.length === 0 ? {} : { within: keys };
    return { setting, ...within, compared, columns: hints.column === undefined ? names : [hints.column] };
  });
  lines.sort((left, right) => weight(right) - weight(left) || rank(left) - rank(right));
  for (const line of lines) {
    const { compared } = line;
    const sample = compared[0];
    if (sample === undefined) continue;
    const others = new Set(compared.map((one) => one.from)).size - 1;
    said.push(
      `Setting ${spokenName(line)}: ${sample.from} compares it with ${label(sample.relation)}.${sample.column}` +
        (others > 0 ? `, and ${others} more do alike.` : '.'),
    );
  }
  if (lines.length > 0) return lines;
  const column = hints.column ?? commonest(catalogue);
  if (column === undefined) return [];
  const setting = hints.setting ?? `app.${/^[a-z_][a-z0-9_]*$/.test(column) ? column : 'owner'}`;
  said.push(
    hints.setting === undefined
      ? `No policy compares a column with a session setting; ${column} is taken to say whose a row is, and sessions set ${setting}.`
      : `Setting ${setting} was given; no policy compares a column with it.`,
  );
  return [{ setting, compared: [], columns: [column] }];
}

/** Direct comparisons before look-ups, more tables before fewer. */
function weight({ compared }: Line): number {
  const direct = new Set(compared.filter((one) => !one.lookUp).map((one) => one.relation.oid));
  const all = new Set(compared.map((one) => one.relation.oid));
  return direct.size * 1000 + all.size;
}

/** Of two settings that filter as many tables the one whose column is the more usual owner comes first. */
function rank({ columns }: Line): number {
  const ranks = columns.map((name) => (OWNER_COLUMNS as readonly string[]).indexOf(name));
  return Math.min(...ranks.filter((at) => at >= 0), OWNER_COLUMNS.length);
}

function commonest(catalogue: Catalogue): string | undefined {
  const counts = OWNER_COLUMNS.map((name) => ({
    name,
    count: tablesOf(catalogue).filter((table) => name in table.columns).length,
  })).filter(({ count }) => count > 0);
  counts.sort((left, right) => right.count - left.count);
  return counts[0]?.name;
}

interface Making {
  readonly catalogue: Catalogue;
  readonly roles: readonly string[];
  readonly said: string[];
  /** The only tables whose column counts; all others are shared, but for what foreign keys lead from to these. */
  readonly among?: ReadonlySet<number>;
}

function boundaryOf(line: Line, { catalogue, roles, said, among }: Making): Boundary {
  const columns = columnsOf(catalogue, line, among);
  const root = rootOf(catalogue, columns);
  if (root !== undefined) {
    columns.set(root.relation.oid, root.column);
    said.push(
      `Owners are the rows of ${label(root.relation)}: ${root.by} foreign keys lead to its ${root.column}.`,
    );
  }
  const owned = ownedBy(catalogue, { columns, line, root: root?.relation });
  const tables = tablesOf(catalogue).flatMap((table) => {
    const column = columns.get(table.oid);
    return column === undefined ? [] : [{ of: nameOf(table), column }];
  });
  const filtered = among === undefined ? filteredBy(catalogue) : new Set<number>();
  const unknown = tablesOf(catalogue).filter((table) => !owned.has(table.oid) && filtered.has(table.oid));
  for (const table of unknown) {
    said.push(
      `${label(table)} has a policy, but no owner column and no foreign key to an owner: whose its rows are is not known, and nothing is shown about it.`,
    );
  }
  const shared = tablesOf(catalogue)
    .filter((table) => !owned.has(table.oid) && !filtered.has(table.oid))
    .map((table) => ({
      of: nameOf(table),
      because:
        among === undefined
          ? 'it has no owner column, and no foreign key leads from it to a row that has an owner'
          : "it does not hold all parts of an owner's name, and no foreign key leads from it to a row that does",
    }));
  const through = tablesOf(catalogue).filter((table) => owned.has(table.oid) && !columns.has(table.oid));
  said.push(
    `${tables.length} tables have an owner column (${[...new Set(tables.map((one) => one.column))].join(', ')}), ` +
      `${through.length} belong to owners by their foreign keys, ${shared.length} are taken for everybody's.`,
  );
  return {
    name: nameOfOwners(line, root?.relation),
    ...spokenOf(line),
    tables,
    shared,
    roles,
    spanning: [],
  };
}

/** The owner's column of each table, by what is compared and by name. */
function columnsOf(catalogue: Catalogue, line: Line, among?: ReadonlySet<number>): Map<number, string> {
  const columns = new Map<number, string>();
  const counts = (oid: number): boolean => !columns.has(oid) && (among === undefined || among.has(oid));
  for (const { relation, column } of line.compared)
    if (counts(relation.oid)) columns.set(relation.oid, column);
  for (const table of tablesOf(catalogue)) {
    const column = line.columns.find((name) => name in table.columns);
    if (column !== undefined && counts(table.oid)) columns.set(table.oid, column);
  }
  return columns;
}

/** Relations with a policy that lets some rows through and others not. */
function filteredBy({ texts }: Catalogue): ReadonlySet<number> {
  const policies = texts.filter(
    (text) => text.kind === 'policy' && !/^\(?(true|false)\)?( ;|$)/.test(text.sql),
  );
  return new Set(policies.map((text) => text.relation));
}

function spokenOf({ setting, within }: Line): Spoken {
  return within === undefined ? { setting } : { setting, within };
}

/** The table that most foreign keys of owner columns lead to. */
function rootOf(
  catalogue: Catalogue,
  columns: ReadonlyMap<number, string>,
): { relation: Relation; column: string; by: number } | undefined {
  const votes = new Map<string, { reference: Reference; column: string; by: number }>();
  for (const reference of catalogue.references) {
    const at = reference.columns.indexOf(columns.get(reference.from) ?? '');
    const column = at < 0 ? undefined : reference.toColumns[at];
    if (column === undefined || reference.from === reference.to || columns.get(reference.to) === column)
      continue;
    // A composite key leads to a row of the owner, not to the owner.
    if (reference.columns.length > 1) continue;
    const key = `${reference.to} ${column}`;
    const vote = votes.get(key) ?? { reference, column, by: 0 };
    votes.set(key, { ...vote, by: vote.by + 1 });
  }
  const best = [...votes.values()].sort((left, right) => right.by - left.by)[0];
  const relation = catalogue.relations.find((one) => one.oid === best?.reference.to);
  if (best === undefined || relation === undefined || columns.has(relation.oid)) return undefined;
  return { relation, column: best.column, by: best.by };
}

interface Owning {
  readonly columns: ReadonlyMap<number, string>;
  readonly line: Line;
  readonly root: Relation | undefined;
}

/** Tables whose rows are somebody's: with the column, under such a table, or what a list of members leads to. */
function ownedBy(catalogue: Catalogue, { columns, line, root }: Owning): ReadonlySet<number> {
  const owned = new Set(columns.keys());
  const lists = new Set(line.compared.filter((one) => one.lookUp).map((one) => one.relation.oid));
  for (const reference of catalogue.references) {
    const by = columns.get(reference.from) ?? '';
    if (lists.has(reference.from) && !reference.columns.includes(by) && reference.to !== root?.oid) {
      if (/_by$|_by_id$/.test(reference.columns[0] ?? '')) continue;
      owned.add(reference.to);
    }
  }
  for (const oid of owned) {
    for (const reference of catalogue.references) if (reference.to === oid) owned.add(reference.from);
  }
  return owned;
}

/** Whether every table of the one is among the other's owned tables: then the one's setting is a part of its session. */
function within(one: Boundary, other: Boundary): boolean {
  const shared = new Set(other.shared.map(({ of }) => label(of)));
  return one.tables.every(({ of }) => !shared.has(label(of)));
}

function nameOfOwners(line: Line, root: Relation | undefined): string {
  const column = line.columns.find((name) => /_id$/i.test(name));
  if (column !== undefined) return column.replace(/_id$/i, '');
  return root?.name.replace(/s$/, '') ?? line.columns[0] ?? 'owner';
}

async function saidOfRoles(query: CatalogueQuery): Promise<string[]> {
  const roles = await applicationRoles(query);
  if (roles.length === 0)
    return ['No role was found that an application works as: none is granted anything.'];
  return roles.map((role) => `Role ${role.name} is taken for an application's: ${role.why}.`);
}

function tablesOf(catalogue: Catalogue): readonly Relation[] {
  return catalogue.relations.filter((one) => !one.partition && (one.kind === 'r' || one.kind === 'p'));
}

function nameOf(relation: Relation): { schema: string; name: string } {
  return { schema: relation.schema, name: relation.name };
}
