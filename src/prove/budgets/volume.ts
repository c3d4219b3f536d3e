// A volume in a database: begun once, then grown to each size, as fast as the server takes it.
import type { Client } from 'pg';
import {
  type CatalogueQuery,
  type CopyValue,
  type RelationName,
  type Volume,
  type VolumeContext,
} from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { withClient } from '../../server/index.ts';
import { qualified } from '../../sql.ts';
import { refuseAborted } from '../../build/scratch.ts';
import { chanceOf, seedOf } from './chance.ts';
import { copyIn } from './copy-in.ts';
import type { Ground } from './ground.ts';

const DAY_MS = 86_400_000;
/** From so many new rows on it is faster to build indexes anew than to keep them up. */
const REBUILD_FROM_ROWS = 20_000;
/** Rows between two looks at the signal. */
const LOOK_EVERY_ROWS = 10_000;

/** A volume as it stands. */
export interface Loaded {
  readonly volume: Volume;
  readonly world: unknown;
  /** Rows by kind. */
  readonly sizes: Readonly<Record<string, number>>;
  /** How the last growth went, in a person's words. */
  readonly said: string;
}

/** Who may be told, and who may stop it. */
export interface Loading {
  readonly app: unknown;
  readonly tell: (doing: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Begins a volume: run-time objects from as long ago as its rows reach, then what all rows refer to.
 * @throws HoldfastError HF_BUDGET_VOLUME when it cannot be begun
 */
export async function beginVolume(ground: Ground, volume: Volume, loading: Loading): Promise<Loaded> {
  loading.tell(`beginning ${volume.name}`);
  await ground.settleAt(new Date(ground.now.getTime() - volume.historyDays * DAY_MS));
  await ground.settleAt(ground.now);
  const context = contextOf(ground, volume, loading.app);
  const world = await said(volume, async () => volume.begin?.({ ...context, query: ground.query }));
  const sizes = Object.fromEntries(Object.keys(volume.rows).map((kind) => [kind, 0]));
  return { volume, world, sizes, said: '' };
}

/**
 * Grows a volume to a size; what is larger already stays. Then what is summed up of it, statistics, and the visibility map.
 * @param sizes rows by kind; what is not named stays as it is
 * @throws HoldfastError HF_BUDGET_VOLUME with the server's error when a row is refused; HF_INTERRUPTED
 */
export async function growVolume(
  ground: Ground,
  { loaded, sizes }: { readonly loaded: Loaded; readonly sizes: Readonly<Record<string, number>> },
  loading: Loading,
): Promise<Loaded> {
  const { volume, world } = loaded;
  const wanted = Object.entries(volume.rows).flatMap(([kind, of]) => {
    const from = loaded.sizes[kind] ?? 0;
    const to = Math.max(from, sizes[kind] ?? 0);
    return to > from ? [{ kind, of, from, to }] : [];
  });
  if (wanted.length === 0) return loaded;
  const began = performance.now();
  const grown = { ...loaded.sizes };
  await said(volume, async () =>
    withClient(ground.url, async (client) => {
      for (const sql of SESSION_SQL) await client.query(sql);
      const query = queryOf(client);
      for (const part of wanted) {
        const rows = rowsOf(part, { seed: volume.seed, world, loading });
        await filled(client, part.of.into, {
          rows: part.to - part.from,
          copy: () => copyIn(client, part.of, rows),
        });
        grown[part.kind] = part.to;
      }
      loading.tell(`summing up ${volume.name}`);
      await volume.grown?.({ ...contextOf(ground, volume, loading.app), query }, world);
    }),
  );
  loading.tell('gathering statistics');
  for (const sql of AFTER_SQL) await ground.query(sql);
  const rows = wanted.reduce((sum, { from, to }) => sum + to - from, 0);
  const seconds = (performance.now() - began) / 1_000;
  return { ...loaded, sizes: grown, said: `${rows.toLocaleString('en')} rows in ${seconds.toFixed(1)} s` };
}

/** Whatever is loaded is known to be right: keys and triggers were not asked. */
const SESSION_SQL = [
  "SET session_replication_role = 'replica'",
  "SET synchronous_commit = 'off'",
  "SET maintenance_work_mem = '256MB'",
  "SET work_mem = '128MB'",
  "SET TimeZone = 'UTC'",
];

// Autovacuum would come in the middle of a measurement; what it would do is done before.
const AFTER_SQL = ['VACUUM (ANALYZE)', 'CHECKPOINT'];

function contextOf(ground: Ground, volume: Volume, app: unknown): Omit<VolumeContext, 'query'> {
  const { definition, now } = ground;
  return { model: definition.model, app, now, chance: chanceOf(volume.seed, -1) };
}

function queryOf(client: Client): CatalogueQuery {
  return async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await client.query<Row & Record<string, unknown>>(sql, [...values])).rows;
}

interface Part {
  readonly kind: string;
  readonly of: Volume['rows'][string];
  readonly from: number;
  readonly to: number;
}

function* rowsOf(
  { kind, of, from, to }: Part,
  by: { readonly seed: number; readonly world: unknown; readonly loading: Loading },
): Generator<readonly CopyValue[]> {
  const seed = by.seed ^ seedOf(kind);
  for (let number = from; number < to; number += 1) {
    if ((number - from) % LOOK_EVERY_ROWS === 0) {
      refuseAborted(by.loading.signal);
      by.loading.tell(`loading ${kind}: ${number.toLocaleString('en')} of ${to.toLocaleString('en')}`);
    }
    yield of.row(number, chanceOf(seed, number), by.world);
  }
}

// Indexes that stand for themselves: no constraint rests on them, and none is part of a parent's. A parent's takes its
// parts along, and makes them anew.
const LOOSE_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, pg_catalog.pg_get_indexdef(c.oid) AS made
  FROM pg_catalog.pg_class t
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_index x
    ON x.indrelid = t.oid OR x.indrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(t.oid) p)
  JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE tn.nspname = $1 AND t.relname = $2 AND NOT x.indisunique AND x.indisvalid
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid)
  ORDER BY 1, 2`;

/** Copies rows; where they are many, the indexes that can be are taken down before and built after. */
async function filled(
  client: Client,
  into: RelationName,
  of: { readonly rows: number; readonly copy: () => Promise<number> },
): Promise<void> {
  if (of.rows < REBUILD_FROM_ROWS) return void (await of.copy());
  const { rows: loose } = await client.query<{ schema: string; name: string; made: string }>(LOOSE_SQL, [
    into.schema,
    into.name,
  ]);
  for (const index of loose) await client.query(`DROP INDEX ${qualified(index)}`);
  await of.copy();
  // A parent's index is told with ONLY, which would leave its parts out.
  for (const { made } of loose) await client.query(made.replace(' ON ONLY ', ' ON '));
}

async function said<T>(volume: Volume, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const { message, table, where } = cause as { message?: string; table?: string; where?: string };
    throw new HoldfastError({
      code: 'HF_BUDGET_VOLUME',
      subject: `volume ${volume.name}`,
      what: `it could not be loaded: ${[message ?? String(cause), table && `table ${table}`, where].filter(Boolean).join('; ')}.`,
      fix: 'Make its rows keep what the tables ask of them.',
      cause,
    });
  }
}
