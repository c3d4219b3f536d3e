// A row like one that is there, but of somebody else: it goes in through every trigger and constraint, as an application
// would write it.
import type { Client } from 'pg';
import { label, type RelationName, type RemovedRows } from '../../define/index.ts';
import { connect, close } from '../../server/index.ts';
import { ident, qualified } from '../../sql.ts';
import type { Ground } from './ground.ts';
import type { Column, Key, Relation } from './relations.ts';

/** A row that was made, and the one it is like. Values as PostgreSQL's JSON. */
export interface Added {
  readonly of: RelationName;
  readonly like: Values;
  readonly values: Values;
}

type Values = Readonly<Record<string, unknown>>;

/** What is to be made. */
export interface Wanted {
  readonly relation: Relation;
  readonly rule: RemovedRows;
  /** Whose it is to be; undefined: nobody's, so that only its mark says whom it is about. */
  readonly subject: Key | undefined;
  /** Stands in all that is to go, in place of `marker`. */
  readonly mark: string;
  readonly marker: string;
  /** Whether a column sounds as if it held something about a subject: it does then, whatever becomes of it. */
  readonly sounds: (column: string) => boolean;
  /** Rows that were made already: a row that refers to what one of them is like refers to that one. */
  readonly parents: readonly Added[];
  /** The owner's rows of the table, values as text. */
  readonly own: readonly Readonly<Record<string, string | null>>[];
  readonly most: number;
}

/** Makes rows like those of one owner, spread over the oldest and the newest; gives those that the table took, or why none. */
export async function addLike(
  ground: Ground,
  wanted: Wanted,
): Promise<{ readonly rows: readonly Added[]; readonly why: string }> {
  const templates = spread(await templatesOf(ground, wanted), wanted.most);
  const rows: Added[] = [];
  let why = 'the owner has none that it could be like';
  for (const [at, like] of templates.entries()) {
    const outcome = await insert(ground, { wanted, like, at });
    if ('why' in outcome) why = outcome.why;
    else rows.push(outcome);
  }
  return { rows, why };
}

/** Rows of the owner, those that carry more keys first; of a table that is nobody's, any row. */
async function templatesOf({ query }: Ground, wanted: Wanted): Promise<readonly Values[]> {
  const { relation, rule, subject, marker, own, parents } = wanted;
  const primary = relation.columns.filter((one) => one.primary).map((one) => one.name);
  const key = `ARRAY[${primary.map((name) => `t.${ident(name)}::pg_catalog.text`).join(', ')}]::pg_catalog.text[]`;
  const all = await query<{ row: Values; key: readonly (string | null)[] }>(
    `SELECT pg_catalog.to_jsonb(t) AS row, ${key} AS key FROM ${qualified(relation)} AS t ORDER BY t.tableoid, t.ctid`,
  );
  if (subject === undefined) return all.map((one) => one.row);
  const { through } = rule;
  if (through !== undefined) {
    const above = parents.filter((one) => label(one.of) === label(through.of));
    const refers = (row: Values): boolean =>
      above.some(({ like }) => through.columns.every((pair) => same(row[pair.own], like[pair.other])));
    return all.map((one) => one.row).filter(refers);
  }
  const keys = new Set(own.map((values) => JSON.stringify(primary.map((name) => values[name] ?? null))));
  const isOwn = (one: (typeof all)[number]): boolean =>
    primary.length > 0 ? keys.has(JSON.stringify(one.key)) : JSON.stringify(one.row).includes(marker);
  const carried = (one: Values): number => rule.by.filter((column) => one[column] != null).length;
  return all
    .filter(isOwn)
    .map((one) => one.row)
    .toSorted((a, b) => carried(b) - carried(a));
}

function same(one: unknown, other: unknown): boolean {
  return one != null && JSON.stringify(one) === JSON.stringify(other);
}

function spread<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  if (most === 1) return items.slice(0, 1);
  return Array.from(
    { length: most },
    (_, at) => items[Math.round((at * (items.length - 1)) / (most - 1))] as T,
  );
}

interface Making {
  readonly wanted: Wanted;
  readonly like: Values;
  readonly at: number;
}

const WAYS = ['origin', 'replica', 'rewritten'] as const;

/** Through the table's triggers; where one refuses, past those that can be passed; at last a row that is there becomes theirs. */
async function insert(ground: Ground, making: Making): Promise<Added | { readonly why: string }> {
  const client = await connect(ground.url, { applicationName: 'holdfast removal' });
  let why = 'nothing of it would be the subject’s';
  try {
    for (const way of WAYS) {
      const made = await attempt(client, { ground, making, way }).catch(async (error: unknown) => {
        await client.query('ROLLBACK');
        why = error instanceof Error ? error.message : String(error);
        return undefined;
      });
      if (made !== undefined) return { of: making.wanted.relation, like: making.like, values: made };
    }
    return { why };
  } finally {
    await close(client);
  }
}

async function attempt(
  client: Client,
  of: { readonly ground: Ground; readonly making: Making; readonly way: (typeof WAYS)[number] },
): Promise<Values | undefined> {
  const { ground, making, way } = of;
  await client.query('BEGIN');
  const values = await valuesFor(ground, making, {
    largeObject: async (mark) => {
      const { rows } = await client.query<{ oid: string }>(OBJECT_SQL, [mark]);
      return rows[0]?.oid ?? null;
    },
    fresh: way !== 'rewritten',
  });
  const made =
    way === 'rewritten'
      ? await rewritten(client, making, values)
      : await inserted(client, making, { values, how: way });
  await client.query('COMMIT');
  return made;
}

const OBJECT_SQL = `SELECT pg_catalog.lo_from_bytea(0, pg_catalog.convert_to($1, 'UTF8'))::pg_catalog.text AS oid`;

function writable({ relation }: Wanted): readonly string[] {
  return relation.columns.filter((one) => !one.generated).map((one) => ident(one.name));
}

async function inserted(
  client: Client,
  { wanted }: Making,
  { values, how }: { readonly values: Values; readonly how: 'origin' | 'replica' },
): Promise<Values | undefined> {
  const { relation } = wanted;
  const columns = writable(wanted);
  await client.query(`SET LOCAL session_replication_role = ${how}`);
  const { rows } = await client.query<{ row: Values }>(
    `WITH made AS (INSERT INTO ${qualified(relation)} AS t (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
       SELECT ${columns.map((name) => `r.${name}`).join(', ')}
       FROM pg_catalog.jsonb_populate_record(NULL::${qualified(relation)}, $1) AS r RETURNING pg_catalog.to_jsonb(t) AS row)
     SELECT row FROM made`,
    [JSON.stringify(values)],
  );
  return rows[0]?.row;
}

const TRIGGERS_SQL = `
  SELECT g.tgname AS name, g.tgenabled AS enabled FROM pg_catalog.pg_trigger g
  WHERE g.tgrelid = $1::pg_catalog.text::pg_catalog.regclass AND NOT g.tgisinternal AND g.tgenabled <> 'D' ORDER BY 1`;
const ENABLED: Readonly<Record<string, string>> = { O: '', A: 'ALWAYS ', R: 'REPLICA ' };

/** Where a table takes no other row like it (one is current, one is open), the one that is there becomes the subject's. */
async function rewritten(
  client: Client,
  { wanted, like }: Making,
  values: Values,
): Promise<Values | undefined> {
  const name = qualified(wanted.relation);
  const changed = wanted.relation.columns
    .filter((one) => !one.generated && !same(values[one.name] ?? null, like[one.name] ?? null))
    .map((one) => ident(one.name));
  if (changed.length === 0) return undefined;
  const { rows: triggers } = await client.query<{ name: string; enabled: string }>(TRIGGERS_SQL, [name]);
  await client.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`);
  const { rows } = await client.query<{ row: Values }>(
    `WITH made AS (UPDATE ${name} AS t SET (${changed.join(', ')}) =
       (SELECT ${changed.map((column) => `r.${column}`).join(', ')} FROM pg_catalog.jsonb_populate_record(NULL::${name}, $1) AS r)
       WHERE pg_catalog.to_jsonb(t) = $2::pg_catalog.jsonb RETURNING pg_catalog.to_jsonb(t) AS row)
     SELECT row FROM made`,
    [JSON.stringify(values), JSON.stringify(like)],
  );
  await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  for (const trigger of triggers)
    await client.query(
      `ALTER TABLE ${name} ENABLE ${ENABLED[trigger.enabled] ?? ''}TRIGGER ${ident(trigger.name)}`,
    );
  return rows[0]?.row;
}

async function valuesFor(
  ground: Ground,
  { wanted, like, at }: Making,
  how: {
    readonly largeObject: (mark: string) => Promise<string | null>;
    /** Another row: what tells rows apart is not that of the one it is like. */
    readonly fresh: boolean;
  },
): Promise<Values> {
  const { relation, rule, subject, mark, marker } = wanted;
  const values: Record<string, unknown> = { ...like };
  const carriers = rule.by.filter((column) => like[column] != null);
  for (const column of relation.columns) {
    const { name } = column;
    if (column.generated || like[name] == null) continue;
    if (name === rule.within || rule.by.includes(name)) continue;
    if (rule.largeObjects.includes(name)) values[name] = await how.largeObject(mark);
    else if (column.refers) values[name] = referred(wanted, like, name) ?? like[name];
    else if (goes(wanted, name)) values[name] = marked(like[name], { column, from: marker, to: mark });
    if (how.fresh && column.unique && !column.refers && same(values[name], like[name]))
      values[name] = await another(ground, { relation, column, value: like[name], at, marker });
  }
  if (subject !== undefined) {
    const own = carriers.length === 0 ? rule.by : carriers;
    // The first row carries the key in every column, each further one in one of them.
    for (const [number, column] of own.entries())
      if (at === 0 || own.length === 0 || number === at % own.length) values[column] = subject.key;
  }
  for (const column of relation.columns)
    if (how.fresh && column.primary && rule.by.includes(column.name) && subject !== undefined)
      values[column.name] = subject.key;
  return values;
}

/** Whether what stands in the column is to be about the subject. */
function goes({ rule, sounds, subject }: Wanted, column: string): boolean {
  if (sounds(column)) return true;
  if (subject === undefined || rule.fate === 'kept') return false;
  return rule.fate === 'deleted' || rule.columns.includes(column);
}

/** The same column of the row that was made like the one it refers to. */
function referred({ relation, parents }: Wanted, like: Values, name: string): unknown {
  for (const { columns, to, toColumns } of relation.references) {
    const number = columns.indexOf(name);
    if (number === -1) continue;
    const parent = parents.find(
      (one) =>
        label(one.of) === label(to) &&
        columns.every((column, at) => same(like[column], one.like[toColumns[at] ?? ''])),
    );
    if (parent !== undefined) return parent.values[toColumns[number] ?? ''];
  }
  return undefined;
}

/** A text with another mark in it; one that has none gets it where it is free text. */
function marked(
  value: unknown,
  how: { readonly column: Column; readonly from: string; readonly to: string },
): unknown {
  const { column, from, to } = how;
  const any = new RegExp(`${from}|\\bw0[0-9a-z]{4}`, 'g');
  if (typeof value === 'string')
    return any.test(value) ? value.replaceAll(any, to) : freeText(column, value, to);
  if (typeof value !== 'object' || value === null) return value;
  return JSON.parse(JSON.stringify(value).replaceAll(any, to)) as unknown;
}

// Words like a state or a currency stay: a check may list them.
function freeText({ category, name }: Column, value: string, to: string): string {
  return category === 'S' && /mail|name|address|note|body|detail|street/i.test(name) ? to : value;
}

/** A value that no other row has. */
async function another(
  { query }: Ground,
  of: {
    readonly relation: Relation;
    readonly column: Column;
    readonly value: unknown;
    readonly at: number;
    readonly marker: string;
  },
): Promise<unknown> {
  const { relation, column, value, at, marker } = of;
  if (column.type === 'uuid') {
    const [row] = await query<{ id: string }>('SELECT pg_catalog.gen_random_uuid()::pg_catalog.text AS id');
    return row?.id;
  }
  if (typeof value === 'number') {
    const [row] = await query<{ most: number }>(
      `SELECT pg_catalog.max(t.${ident(column.name)})::pg_catalog.float8 AS most FROM ${qualified(relation)} AS t`,
    );
    return column.primary || Number.isInteger(value) ? (row?.most ?? 0) + 1 : value;
  }
  if (typeof value === 'boolean') return false;
  if (typeof value === 'string') return value.replaceAll(marker, `y${at}${marker.slice(2)}`);
  return value;
}
