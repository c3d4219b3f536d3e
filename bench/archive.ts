// What an archive of files costs: bytes against the heap, rows a second, and memory that must not grow with the rows.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withClient, withDatabase } from 'holdfast/server';
import { folder, type ArchiveFiles } from 'holdfast/traits';
import type { TaskContext } from 'holdfast/define';
import type { Client } from 'pg';
import type { Aim, Comparison, Context, Report } from './measure.ts';

export const name = 'archive';

const SIZES = [100_000, 1_000_000] as const;
const QUICK = [5_000, 20_000] as const;
/** What a process that archives may grow by, whatever the table's size. */
const MEMORY_MB = 600;
const PIECE = {
  of: { schema: 'public', name: 'correction_logs' },
  range: {
    column: 'created_at',
    from: new Date('2026-03-01T00:00:00Z'),
    to: new Date('2026-04-01T00:00:00Z'),
  },
};

interface Measured {
  readonly rows: number;
  readonly heap: number;
  readonly total: number;
  readonly parquet: number;
  readonly writeMs: number;
  readonly verifyMs: number;
  readonly peakMb: number;
}

/** Runs the part. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const measured: Measured[] = [];
  for (const rows of quick ? QUICK : SIZES) measured.push(await atSize(serverUrl, rows));
  return {
    settings: {
      table: '13 columns, two of jsonb, three random UUIDs a row; primary key and one index',
      ...Object.fromEntries(measured.flatMap(figures)),
    },
    comparisons: measured.map(times),
    aims: aims(measured),
  };
}

function figures({ rows, heap, total, parquet, peakMb }: Measured): [string, string][] {
  const share = (bytes: number): string => `${((100 * parquet) / bytes).toFixed(0)} %`;
  return [
    [
      `bytes at ${rows} rows`,
      `heap ${mb(heap)} (with indexes ${mb(total)}), Parquet ${mb(parquet)}: ${share(heap)} of the heap, ${share(total)} of all`,
    ],
    [`memory at ${rows} rows`, `${peakMb.toFixed(0)} MB above the start at its peak`],
  ];
}

function times({ rows, writeMs, verifyMs }: Measured): Comparison {
  const one = (label: string, ms: number): Comparison['timings'][number] => ({
    label: `${label}, ${Math.round(rows / (ms / 1000))} rows/s`,
    median: ms,
    p95: ms,
    p99: ms,
    ratio: ms / writeMs,
  });
  return {
    title: `${rows} rows into files`,
    runs: 1,
    timings: [one('write', writeMs), one('read back and compare with the table', verifyMs)],
  };
}

function aims(measured: readonly Measured[]): Aim[] {
  return measured.map(({ rows, peakMb }) => ({
    text: `MB of memory above the start while ${rows} rows are archived`,
    limit: MEMORY_MB,
    measured: peakMb,
  }));
}

async function atSize(serverUrl: string, rows: number): Promise<Measured> {
  const database = `hf_bench_archive_${rows}`;
  const root = await mkdtemp(join(tmpdir(), 'holdfast-bench-archive-'));
  await withClient(serverUrl, async (admin) => {
    await admin.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${database}`);
  });
  try {
    return await withClient(withDatabase(serverUrl, database), async (client) => {
      await fill(client, rows);
      return measure(client, folder(root), rows);
    });
  } finally {
    await withClient(serverUrl, async (admin) => admin.query(`DROP DATABASE ${database} WITH (FORCE)`));
    await rm(root, { recursive: true, force: true });
  }
}

async function fill(client: Client, rows: number): Promise<void> {
  await client.query(`
    CREATE TABLE correction_logs (
      tenant_id uuid NOT NULL, id uuid NOT NULL, job_id uuid NOT NULL, record_number integer NOT NULL,
      field_name varchar(100) NOT NULL, rule_id varchar(100) NOT NULL, correction_type text NOT NULL,
      original_value jsonb, corrected_value jsonb, confidence numeric(5,4) NOT NULL, accepted boolean,
      decided_at timestamptz, created_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id, created_at))`);
  await client.query(
    `INSERT INTO correction_logs
     SELECT md5('tenant' || n % 20)::uuid, gen_random_uuid(), md5('job' || n / 500)::uuid, n % 500,
       (ARRAY['title', 'price', 'brand', 'category', 'gtin', 'description'])[1 + n % 6], 'rule-' || n * 7 % 400,
       (ARRAY['trim', 'case', 'format', 'lookup'])[1 + n % 4],
       to_jsonb('value ' || md5(n::text)), to_jsonb('Value ' || md5(n::text)), (n * 37 % 10000) / 10000.0,
       CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END,
       CASE WHEN n % 3 < 2 THEN timestamptz '2026-03-01 00:00+00' + n * interval '31 days' / $1 + interval '90 minutes' END,
       timestamptz '2026-03-01 00:00+00' + (n - 1) * (interval '31 days' / $1)
     FROM generate_series(1, $1::int) n`,
    [rows],
  );
  await client.query('CREATE INDEX ON correction_logs (tenant_id, created_at)');
  await client.query('VACUUM (ANALYZE) correction_logs');
}

async function measure(client: Client, archive: ArchiveFiles, rows: number): Promise<Measured> {
  const { rows: sizes } = await client.query<{ heap: string; total: string }>(
    `SELECT pg_table_size('correction_logs') AS heap, pg_total_relation_size('correction_logs') AS total`,
  );
  const context = contextOn(client);
  const start = process.memoryUsage().rss;
  let peak = start;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  try {
    const began = performance.now();
    const receipt = await archive.write(context, PIECE, PIECE.of);
    const written = performance.now();
    await archive.verify(context, receipt, PIECE.of);
    const verified = performance.now();
    return {
      rows,
      heap: Number(sizes[0]?.heap),
      total: Number(sizes[0]?.total),
      parquet: receipt.bytes,
      writeMs: written - began,
      verifyMs: verified - written,
      peakMb: (peak - start) / 1e6,
    };
  } finally {
    clearInterval(watch);
  }
}

/** A task's context without a keeper: writing and comparing need a session and nothing of the ledger. */
function contextOn(client: Client): TaskContext {
  const query: TaskContext['session']['query'] = async (sql, values) =>
    (await client.query(sql, values && [...values])).rows;
  const context: Partial<TaskContext> = {
    model: { name: 'bench' } as TaskContext['model'],
    now: new Date(),
    signal: new AbortController().signal,
    session: {
      query,
      transaction: async (work) => {
        await client.query('BEGIN');
        const result = await work(query);
        await client.query('COMMIT');
        return result;
      },
    },
    tell: () => undefined,
  };
  return context as TaskContext;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
