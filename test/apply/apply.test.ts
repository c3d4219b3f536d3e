import { Client } from 'pg';
import { describe, expect } from 'vitest';
import { apply, type ApplyOptions } from '../../src/build/apply.ts';
import { rollback } from '../../src/build/rollback.ts';
import type { Plan, Step } from '../../src/build/step.ts';
import type { Progress } from '../../src/build/run.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { runs, stepsOf, takeLease } from '../../src/ledger/index.ts';
import { planLowered } from '../../src/build/plan.ts';
import { HoldfastError } from '../../src/error.ts';
import { OPTIONS, wanted } from '../build/wanted.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { planBetween, stage } from '../online/stage.ts';

const before = `CREATE TABLE t (id int PRIMARY KEY, a int)`;
const rows = `INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i`;

/** What a refused promise says, without the stack. */
async function refusal(work: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return error as HoldfastError;
}

async function session(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'a user' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Tries again at once, so that a test's patience is all about locks. */
function patient(more: ApplyOptions): ApplyOptions {
  return {
    ...more,
    clock: { nowMs: () => performance.now(), sleep: async () => undefined, random: () => 0 },
  };
}

async function column(db: TestDatabase): Promise<{ plan: Plan; target: TestDatabase }> {
  return await stage(db, { before, rows, after: `${before}; ALTER TABLE t ADD COLUMN b int` });
}

async function slow(db: TestDatabase): Promise<{ plan: Plan; target: TestDatabase }> {
  const after = `${before}; CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (a, id)`;
  return await stage(db, { before, rows, after });
}

describe('what a plan must be', () => {
  test('anything else is refused before a session is opened', async () => {
    const error = await refusal(
      apply({ steps: [] } as unknown as Plan, 'postgres://nobody@127.0.0.1:1/none'),
    );
    expect(error.message).toBe(
      'the plan: it is not a plan of a form this release knows. Make it anew with this release: holdfast plan --out plan.json. [HF_PLAN_FORMAT]',
    );
  });

  test('a target that changed since is refused and nothing is written, not even a ledger', async ({ db }) => {
    const { plan, target } = await stage(db, { before, rows, after: `${before}; CREATE INDEX t_a ON t (a)` });
    await target.query('ALTER TABLE t ADD COLUMN sneaked int');
    const error = await refusal(apply(plan, target.url));
    expect(error.code).toBe('HF_STALE_PLAN');
    expect(await target.query(`SELECT FROM pg_namespace WHERE nspname = 'holdfast'`)).toEqual([]);
  });

  test('the same plan again does nothing', async ({ db }) => {
    const { plan, target } = await stage(db, { before, rows, after: `${before}; CREATE INDEX t_a ON t (a)` });
    expect(await apply(plan, target.url)).toMatchObject({
      already: false,
      endsAsPlanned: true,
      resumed: false,
    });
    expect(await apply(plan, target.url)).toMatchObject({ already: true, run: null });
    expect(await runs(target.pool)).toHaveLength(1);
  });
});

describe('losing data', () => {
  test('needs the name of each object', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before: `${before}; CREATE TABLE u (id int)`,
      rows,
      after: 'CREATE TABLE t (id int PRIMARY KEY)',
    });
    const error = await refusal(apply(plan, target.url, { allowDataLoss: ['table public.u'] }));
    expect(error.message).toBe(
      `column public.t.a: this would be lost for good: every value of the column (column public.t.a). ` +
        `Allow it by name if that is meant: --allow-data-loss 'column public.t.a'. [HF_DATA_LOSS]`,
    );
    const allowDataLoss = ['table public.u', 'column public.t.a'];
    expect(await apply(plan, target.url, { allowDataLoss })).toMatchObject({ endsAsPlanned: true });
  });

  test('going back names what was stored meanwhile, and only that', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before,
      rows,
      after: `${before}; CREATE TABLE u (id int); ALTER TABLE t ADD COLUMN b int DEFAULT 3`,
    });
    await apply(plan, target.url);
    await rollback(target.url, { to: 'previous' });
    await apply(plan, target.url);
    await target.query('INSERT INTO u VALUES (1)');
    const error = await refusal(rollback(target.url, { to: 'previous' }));
    expect(error).toMatchObject({ code: 'HF_DATA_LOSS', subject: 'table public.u' });
    await rollback(target.url, { to: 'previous', allowDataLoss: ['table public.u'] });
    expect(await fingerprint(target.pool)).toBe(plan.from);
  });

  test('a shorter type never cuts a value in silence', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before: 'CREATE TABLE t (v text)',
      rows: `INSERT INTO t VALUES ('longer than three')`,
      after: 'CREATE TABLE t (v varchar(3))',
    });
    const error = await refusal(apply(plan, target.url));
    expect(error.message).toContain('value too long for type character varying(3)');
    expect(await target.query('SELECT v FROM t')).toEqual([{ v: 'longer than three' }]);
  });
});

describe('waiting for locks', () => {
  test('says who is in the way, keeps nobody queued for longer than its timeout, and names them in the end', async ({
    db,
  }) => {
    const { plan, target } = await column(db);
    const user = await session(target.url);
    await user.query('BEGIN; SELECT FROM t');
    const seen: Progress[] = [];
    const applying = refusal(
      apply(plan, target.url, patient({ patienceMs: 2_500, onProgress: (progress) => seen.push(progress) })),
    );
    const other = await session(target.url);
    let longest = 0;
    const reader = { going: true };
    const reading = (async () => {
      while (reader.going) {
        const since = performance.now();
        await other.query('SELECT FROM t LIMIT 1');
        longest = Math.max(longest, performance.now() - since);
      }
    })();
    const error = await applying;
    reader.going = false;
    await reading;
    const { rows: own } = await user.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    expect(error.code).toBe('HF_LOCK_WAIT');
    expect(error.message).toContain(`session ${own[0]?.pid} (a user), idle in transaction`);
    const waiting = seen.find(({ state }) => state === 'waiting');
    expect(waiting?.waitingFor[0]).toMatchObject({ pid: own[0]?.pid, application: 'a user' });
    expect(longest).toBeLessThan((plan.steps[0]?.lockTimeoutMs ?? 0) + 1_500);
    await user.end();
    await other.end();
    expect(await apply(plan, target.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
  });

  test('goes on by itself when they leave', async ({ db }) => {
    const { plan, target } = await column(db);
    const user = await session(target.url);
    await user.query('BEGIN; SELECT FROM t');
    const done = apply(plan, target.url, {
      onProgress: ({ state }) => {
        if (state === 'waiting') void user.query('COMMIT');
      },
    });
    expect(await done).toMatchObject({ endsAsPlanned: true });
    await user.end();
  });
});

describe('one at a time', () => {
  test('a second apply is refused and told of the first; when that is done there is nothing to do', async ({
    db,
  }) => {
    const { plan, target } = await slow(db);
    let refused: HoldfastError | undefined;
    await apply(plan, target.url, {
      onBoundary: async (boundary, { number }) => {
        if (boundary !== 'between' || number !== 1) return;
        refused = await refusal(apply(plan, target.url, { leaseWaitMs: 0 }));
      },
    });
    expect(refused?.code).toBe('HF_APPLY_RUNNING');
    expect(refused?.subject).toContain(`process ${process.pid} on `);
    expect(await apply(plan, target.url)).toMatchObject({ already: true });
  });

  test('two at once: one does the work, the other waits for it', async ({ db }) => {
    const { plan, target } = await slow(db);
    const both = await Promise.all([apply(plan, target.url), apply(plan, target.url)]);
    expect(both.map(({ already }) => already).sort()).toEqual([false, true]);
    expect(await runs(target.pool)).toHaveLength(1);
  });

  test('a holder that was passed over writes nothing more when it wakes', async ({ db }) => {
    const { plan, target } = await slow(db);
    const steps: Step[] = plan.steps.map((step) => ({
      ...step,
      transactional: true,
      sql: step.sql.replace('CONCURRENTLY ', ''),
    }));
    const other = await session(target.url);
    const sleeping = apply({ ...plan, steps }, target.url, {
      onBoundary: async (boundary, { number }) => {
        if (boundary !== 'before' || number !== 2) return;
        const taken = await takeLease(other, { schema: 'holdfast', expiresMs: 0 });
        expect(taken).toHaveProperty('lease');
      },
    });
    expect(await refusal(sleeping)).toMatchObject({ code: 'HF_APPLY_RUNNING' });
    expect(await target.query(`SELECT FROM pg_class WHERE relname = 't_b'`)).toEqual([]);
    await other.end();
    expect(await apply({ ...plan, steps }, target.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
  });

  test('a plan that was cut off keeps every other plan out', async ({ db }) => {
    const { plan, target } = await slow(db);
    await expect(
      apply(plan, target.url, {
        onBoundary: (boundary, { number }) => {
          if (boundary === 'after' && number === 1) throw new Error('lost');
        },
      }),
    ).rejects.toThrow('lost');
    const error = await refusal(apply({ ...plan, id: 'another' }, target.url));
    expect(error).toMatchObject({
      code: 'HF_UNFINISHED',
      fix: 'Finish it (holdfast apply) or undo it (holdfast rollback) first.',
    });
  });

  test('a plan that failed before it changed anything keeps nobody out', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before,
      rows: `${rows}; INSERT INTO t VALUES (2000, -1)`,
      after: `${before}; ALTER TABLE t ADD CONSTRAINT none CHECK (a > 0) NOT VALID`,
    });
    const [step] = plan.steps;
    if (step === undefined) throw new Error('no step');
    const broken = {
      ...plan,
      id: 'broken',
      steps: [{ ...step, sql: 'ALTER TABLE public.t ADD CHECK (a > 0)' }],
    };
    expect(await refusal(apply(broken, target.url))).toMatchObject({
      code: 'HF_STEP_FAILED',
      fix: 'Mend the rows that break the check, then run the same plan again.',
    });
    expect(await apply(plan, target.url)).toMatchObject({ endsAsPlanned: true, resumed: false });
  });

  test('a connection that is cut goes on over a new one', async ({ db }) => {
    const { plan, target } = await slow(db);
    let cut = false;
    const applied = await apply(plan, target.url, {
      onBoundary: async (boundary, { number }) => {
        if (boundary !== 'between' || number !== 2 || cut) return;
        cut = true;
        await target.query(
          `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'holdfast apply' AND datname = current_database()`,
        );
      },
    });
    expect(applied).toMatchObject({ endsAsPlanned: true });
  });
});

describe('statements that cannot run in a transaction', () => {
  test('a failed concurrent build leaves no invalid index, and the next apply builds it', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before,
      rows: `${rows}; INSERT INTO t VALUES (2000, 1)`,
      after: `${before}; CREATE UNIQUE INDEX t_a ON t (a)`,
    });
    const naive = await session(target.url);
    await expect(
      naive.query('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS naive ON t (a)'),
    ).rejects.toThrow('could not create unique index');
    // The naive retry calls an unusable index success.
    await target.query('DELETE FROM t WHERE id = 2000');
    await naive.query('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS naive ON t (a)');
    expect(
      await target.query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'naive'::regclass`),
    ).toEqual([{ indisvalid: false }]);
    await target.query('DROP INDEX naive; INSERT INTO t VALUES (2000, 1)');
    await naive.end();

    const error = await refusal(apply(plan, target.url));
    expect(error).toMatchObject({
      code: 'HF_STEP_FAILED',
      fix: 'Remove the duplicate rows, then run the same plan again.',
    });
    expect(await target.query(`SELECT FROM pg_class WHERE relname = 't_a'`)).toEqual([]);
    await target.query('DELETE FROM t WHERE id = 2000');
    expect(await apply(plan, target.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
    expect(await target.query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass`)).toEqual([
      { indisvalid: true },
    ]);
  });

  test('an invalid index that a crash left is built anew, not kept', async ({ db }) => {
    const { plan, target } = await stage(db, { before, rows, after: `${before}; CREATE INDEX t_a ON t (a)` });
    await expect(
      apply(plan, target.url, {
        onBoundary: (boundary) => {
          if (boundary === 'between') throw new Error('lost');
        },
      }),
    ).rejects.toThrow('lost');
    await target.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass`);
    expect(await apply(plan, target.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
    expect(await target.query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass`)).toEqual([
      { indisvalid: true },
    ]);
    const [run] = await runs(target.pool);
    expect(await stepsOf(target.pool, run?.run ?? '')).toMatchObject([{ state: 'done', attempts: 2 }]);
  });

  test('are refused inside a transaction, which is why each is a step by itself', async ({ db }) => {
    const client = await session(db.url);
    await client.query('CREATE TABLE alone (id int)');
    const inside = client.query('BEGIN; CREATE INDEX CONCURRENTLY alone_id ON alone (id); COMMIT');
    await expect(inside).rejects.toThrow('CREATE INDEX CONCURRENTLY cannot run inside a transaction block');
    await client.end();
  });
});

describe('attaching partitions', () => {
  const sql = `CREATE TABLE p (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)`;
  const bounds = `FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')`;

  test('CREATE … PARTITION OF stops every reader of the parent, ATTACH does not', async ({ db }) => {
    const client = await session(db.url);
    const strongest = async (statement: string): Promise<unknown> => {
      await client.query(`BEGIN; ${statement}`);
      const { rows } = await client.query(
        `SELECT mode FROM pg_locks WHERE relation = 'p'::regclass AND pid = pg_backend_pid() ORDER BY mode`,
      );
      await client.query('ROLLBACK');
      return rows.map(({ mode }: { mode: string }) => mode);
    };
    await client.query(sql);
    expect(await strongest(`CREATE TABLE p1 PARTITION OF p ${bounds}`)).toContain('AccessExclusiveLock');
    await client.query('CREATE TABLE p1 (LIKE p)');
    expect(await strongest(`ALTER TABLE p ATTACH PARTITION p1 ${bounds}`)).toEqual([
      'ShareUpdateExclusiveLock',
    ]);
    await client.end();
  });
});

describe('rollback', () => {
  test('goes back over several plans to the one named', async ({ db }) => {
    const { plan: first, target } = await stage(db, { before: '', after: before });
    await apply(first, target.url);
    const goal = await db.another();
    await goal.query(`${before}; CREATE INDEX t_a ON t (a)`);
    const second = await planBetween(target.pool, goal.pool);
    await apply(second, target.url);
    const further = await db.another();
    await further.query(`${before}; CREATE INDEX t_a ON t (a); CREATE VIEW v AS SELECT id FROM t`);
    const third = await planBetween(target.pool, further.pool);
    await apply(third, target.url);
    expect(await refusal(rollback(target.url, { to: 'nothing' }))).toMatchObject({ code: 'HF_UNKNOWN_PLAN' });
    expect(await rollback(target.url, { to: first.id })).toMatchObject({ plans: [third.id, second.id] });
    expect(await fingerprint(target.pool)).toBe(first.to);
    await rollback(target.url, { to: 'previous' });
    expect(await refusal(rollback(target.url, { to: 'previous' }))).toMatchObject({
      code: 'HF_NOTHING_APPLIED',
    });
  });

  test('is refused with the step and the reason where there is no way back', async ({ db }) => {
    const { plan, target } = await stage(db, {
      before: 'CREATE TABLE t (id int, must int NOT NULL)',
      rows: 'INSERT INTO t VALUES (1, 1)',
      after: 'CREATE TABLE t (id int)',
    });
    await apply(plan, target.url, { allowDataLoss: ['column public.t.must'] });
    const error = await refusal(rollback(target.url, { to: 'previous' }));
    expect(error.message).toBe(
      'column public.t.must: step 1 cannot be undone: column public.t.must may not be null and has no default, so it cannot come back for rows. ' +
        'Plan forward to the wanted state instead, or restore a backup. [HF_NO_WAY_BACK]',
    );
  });

  test('a database nothing was applied to says so', async ({ db }) => {
    const empty = await db.another();
    expect(await refusal(rollback(empty.url, { to: 'previous' }))).toMatchObject({
      code: 'HF_NOTHING_APPLIED',
    });
  });
});

describe('a ledger of another name', () => {
  const ledgerSchema = 'kept "here"';

  test('is no part of the structure, forward, cut off and back', async ({ db }) => {
    const { plan, target } = await slow(db);
    await expect(
      apply(plan, target.url, {
        ledgerSchema,
        onBoundary: (boundary, { number }) => {
          if (boundary === 'after' && number === 1) throw new Error('lost');
        },
      }),
    ).rejects.toThrow('lost');
    expect(await apply(plan, target.url, { ledgerSchema })).toMatchObject({
      resumed: true,
      endsAsPlanned: true,
    });
    expect(await apply(plan, target.url, { ledgerSchema })).toMatchObject({ already: true });
    expect((await runs(target.pool, ledgerSchema)).map(({ state }) => state)).toEqual(['applied']);
    expect(await target.query(`SELECT FROM pg_namespace WHERE nspname = 'holdfast'`)).toEqual([]);
    await rollback(target.url, { to: 'previous', ledgerSchema });
    expect(await fingerprint(target.pool)).toBe(plan.from);
  });

  test('tells the planner what is there and what an earlier plan made', async ({ db: file }) => {
    const db = await file.another();
    const options = { ...OPTIONS, ledgerSchema };
    const both = ['CREATE TABLE t (id int)', 'CREATE TABLE u (id int)'];
    await apply(await planLowered(wanted(both), db.url, options), db.url, { ledgerSchema });
    expect((await planLowered(wanted(both), db.url, options)).steps).toEqual([]);
    const fewer = await planLowered(wanted(both.slice(0, 1)), db.url, options);
    expect(fewer.steps.map(({ sql }) => sql)).toEqual(['DROP TABLE "public"."u"']);
  });
});
