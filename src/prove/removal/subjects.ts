// Whose rows go: an owner with all there is of theirs, or somebody within one, who is made with rows wherever the
// definition says that such rows are.
import { findTable, label, type Removal, type RemovedRows } from '../../define/index.ts';
import type { World } from '../rows/index.ts';
import type { Ground } from './ground.ts';
import { addLike, type Added } from './like.ts';
import { type Key, keyValues, readRelations, type Relation, theirs } from './relations.ts';
import { qualified } from '../../sql.ts';

/** One subject, with rows of theirs in the database. */
export interface Subject extends Key {
  readonly removal: Removal;
  /** As whoever asks names it. */
  readonly named: string;
  /** Texts that stand in rows of this subject and nowhere else. */
  readonly needles: readonly string[];
  /** What could not be made, and why. */
  readonly notes: readonly string[];
}

/** Why nobody could be found or made. */
export interface Nobody {
  readonly removal: Removal;
  readonly why: string;
}

const SHORTEST = 6;
/** Rows of one table that are made for somebody within an owner: spread over what is there. */
const MOST_ROWS = 4;

/** Finds an owner among those that were made, or makes somebody within one. */
export async function subjectIn(ground: Ground, removal: Removal, world: World): Promise<Subject | Nobody> {
  const like = exampleOf(removal, world);
  if (like === undefined)
    return { removal, why: `no row that carries the key of a ${removal.name} could be made` };
  // Of an owner with rows that stay, what stays cannot be told from what is to go: there is one word for all of it.
  const goes = removal.tables.every((rule) => rule.fate === 'deleted' || rule.derived);
  const whole = goes && world.names.includes(like.key);
  if (!whole) return somebody(ground, { removal, world, like });
  const needles = [world.marker, like.key].filter((text) => text.length >= SHORTEST && !isNumber(text));
  return { ...like, removal, named: removal.named(like), needles: [...new Set(needles)], notes: [] };
}

function isNumber(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/** A key that rows of the world carry: of the subject's own table where there is one. */
function exampleOf(removal: Removal, world: World): Key | undefined {
  const { root, tables } = removal;
  const carrying = tables.filter((rule) => rule.by.length > 0 && !rule.derived);
  const first = carrying.filter((rule) => root === undefined || label(rule.of) === label(root.of));
  for (const rule of [...first, ...carrying]) {
    for (const row of world.rows.filter((one) => label(one.of) === label(rule.of))) {
      const within = rule.within === undefined ? undefined : (row.values[rule.within] ?? undefined);
      const key = rule.by.flatMap((column) => row.values[column] ?? [])[0];
      if (key === undefined || (rule.within !== undefined && within === undefined)) continue;
      return { key, ...(within !== undefined && { within }) };
    }
  }
  return undefined;
}

interface Somebody {
  readonly removal: Removal;
  readonly world: World;
  readonly like: Key;
}

/** Makes somebody like one who is there: a row in each table, with a mark of their own in all that is theirs. */
async function somebody(ground: Ground, { removal, world, like }: Somebody): Promise<Subject | Nobody> {
  const relations = await readRelations(ground);
  const mark = `q${world.marker.slice(1)}`;
  const key = await freshKey(ground, { removal, like, world, mark, relations });
  const subject: Key = { ...like, key };
  const notes: string[] = [];
  const added: Added[] = [];
  for (const rule of inOrder(removal.tables, relations)) {
    const relation = relations.find((one) => label(one) === label(rule.of));
    if (relation === undefined || rule.derived) continue;
    const made = await addLike(ground, {
      relation,
      rule,
      subject,
      mark,
      marker: world.marker,
      sounds: (column) => removal.sounds(rule.of, column),
      parents: added,
      own: world.rows.filter((row) => label(row.of) === label(rule.of)).map((row) => row.values),
      most: removal.root !== undefined && label(removal.root.of) === label(rule.of) ? 1 : MOST_ROWS,
    });
    added.push(...made.rows);
    if (made.rows.length === 0) notes.push(`no row of a ${removal.name} in ${label(rule.of)}: ${made.why}`);
  }
  notes.push(...(await soundsElsewhere(ground, { removal, relations, mark, marker: world.marker })));
  const some = await ofTheirs(ground, removal.tables, subject);
  if (some === 0) return { removal, why: notes[0] ?? 'no row could be made' };
  const needles = [mark, ...(isNumber(key) || key.includes(mark) || key.length < SHORTEST ? [] : [key])];
  return { ...subject, removal, named: removal.named(subject), needles, notes };
}

/** Tables that nothing is said of, with columns that sound as if somebody stood in them: a row in each, as an application writes it. */
async function soundsElsewhere(
  ground: Ground,
  of: {
    readonly removal: Removal;
    readonly relations: readonly Relation[];
    readonly mark: string;
    readonly marker: string;
  },
): Promise<readonly string[]> {
  const { removal, relations, mark, marker } = of;
  const { model } = ground.definition;
  const notes: string[] = [];
  for (const relation of relations) {
    const table = findTable(model, relation);
    const said = removal.tables.some((one) => label(one.of) === label(relation));
    if (said || table?.internal === true || table?.archiveOf !== undefined || table?.derived === true)
      continue;
    const columns = relation.columns.filter((one) => removal.sounds(relation, one.name));
    if (columns.length === 0) continue;
    const rule: RemovedRows = {
      of: relation,
      fate: 'kept',
      by: [],
      columns: [],
      largeObjects: [],
      derived: false,
    };
    const made = await addLike(ground, {
      relation,
      rule,
      subject: undefined,
      mark,
      marker,
      sounds: (column) => removal.sounds(relation, column),
      parents: [],
      own: [],
      most: 1,
    });
    if (made.rows.length === 0) notes.push(`no row in ${label(relation)}: ${made.why}`);
  }
  return notes;
}

/** Rows that others refer to before those that refer. */
function inOrder(tables: readonly RemovedRows[], relations: readonly Relation[]): readonly RemovedRows[] {
  const waiting = [...tables];
  const ordered: RemovedRows[] = [];
  const refers = (one: RemovedRows, other: RemovedRows): boolean =>
    relations
      .find((relation) => label(relation) === label(one.of))
      ?.references.some(({ to }) => label(to) === label(other.of)) === true;
  while (waiting.length > 0) {
    const free = waiting.find((one) => !waiting.some((other) => other !== one && refers(one, other)));
    const next = free ?? waiting[0];
    if (next === undefined) break;
    ordered.push(next);
    waiting.splice(waiting.indexOf(next), 1);
  }
  return ordered;
}

interface Fresh extends Somebody {
  readonly mark: string;
  readonly relations: readonly Relation[];
}

/** A key that nobody has: like the one that is there. */
async function freshKey(ground: Ground, { removal, like, world, mark, relations }: Fresh): Promise<string> {
  if (like.key.includes(world.marker)) return like.key.replaceAll(world.marker, mark);
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(like.key)) {
    const [row] = await ground.query<{ id: string }>(
      'SELECT pg_catalog.gen_random_uuid()::pg_catalog.text AS id',
    );
    return row?.id ?? like.key;
  }
  if (!isNumber(like.key)) return mark;
  let most = 0;
  for (const rule of removal.tables)
    for (const column of rule.by) {
      const relation = relations.find((one) => label(one) === label(rule.of));
      if (relation === undefined) continue;
      const [row] = await ground.query<{ most: number | null }>(
        `SELECT pg_catalog.max(t."${column.replaceAll('"', '""')}")::pg_catalog.float8 AS most FROM ${qualified(relation)} AS t`,
      );
      most = Math.max(most, row?.most ?? 0);
    }
  return String(most + 1);
}

async function ofTheirs(ground: Ground, tables: readonly RemovedRows[], subject: Key): Promise<number> {
  let some = 0;
  for (const rule of tables) {
    const [row] = await ground.query<{ rows: number }>(
      `SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM ${qualified(rule.of)} AS t WHERE ${theirs(tables, rule, 't')}`,
      keyValues(subject),
    );
    some += row?.rows ?? 0;
  }
  return some;
}
