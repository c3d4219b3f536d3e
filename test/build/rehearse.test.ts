// The rehearsal judges by another reader than the planner: wrong plans that the planner calls done are refused here.
import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { forward, reading, runAlone } from '../../src/build/catalogue-session.ts';
import { copyStructure } from '../../src/build/copy.ts';
import { extract, planChange, type Facts } from '../../src/build/engine/index.ts';
import { toSteps } from '../../src/build/online/index.ts';
import { mendPartitions } from '../../src/build/partitions.ts';
import { planLowered } from '../../src/build/plan.ts';
import { rehearse } from '../../src/build/rehearse.ts';
import { targetShape } from '../../src/build/shape.ts';
import type { StepDraft } from '../../src/build/steps.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { OPTIONS, role, wanted } from './wanted.ts';

const OWNERSHIP = { previous: new Set<string>(), allowed: new Set<string>(), publicTouched: false };
const EVENTS = `CREATE TABLE events (id bigint, at timestamptz NOT NULL, kind text) PARTITION BY RANGE (at)`;
const PARTITIONS = ['01', '02', '03'].map(
  (month, at) =>
    `CREATE TABLE events_${month} PARTITION OF events
       FOR VALUES FROM ('2026-${month}-01 00:00:00+00') TO ('2026-0${at + 2}-01 00:00:00+00')`,
);

interface Stage {
  readonly copy: TestDatabase;
  readonly goal: TestDatabase;
  readonly found: Facts;
  readonly goalFacts: Facts;
}

async function stage(db: TestDatabase, target: string, definition: string): Promise<Stage> {
  const [start, copy, goal] = [await db.another(), await db.another(), await db.another()];
  await start.query(target);
  await goal.query(definition);
  const [found, goalFacts] = [await extract(start.pool), await extract(goal.pool)];
  await reading(start.pool, (query) => copyStructure({ query, facts: found }, copy.pool));
  expect(await catalogueDump(copy.pool)).toEqual(await catalogueDump(start.pool));
  return { copy, goal, found, goalFacts };
}

function naive({ found, goalFacts }: Stage): StepDraft[] {
  return planChange(found, goalFacts, OWNERSHIP).forward.map((action) => ({
    sql: action.sql,
    subject: action.sql,
    verb: action.verb,
    lock: 'ACCESS EXCLUSIVE',
    locks: [],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs: 1000,
    loses: null,
    back: null,
    backReason: 'naive',
  }));
}

function run(at: Stage, steps: readonly StepDraft[]): ReturnType<typeof rehearse> {
  return rehearse({
    copy: at.copy.pool,
    goal: { pool: at.goal.pool, facts: at.goalFacts },
    ownership: OWNERSHIP,
    kept: [],
    partitionsAsTheyAre: false,
    steps,
    settle: () => Promise.resolve([]),
    mend: (on) => reading(on, (query) => mendPartitions(query, [])),
  });
}

test("an index on a partitioned table: the planner's own plan leaves it invalid and is refused", async ({
  db,
}) => {
  const target = [EVENTS, ...PARTITIONS].join(';');
  const definition = `${EVENTS}; CREATE INDEX by_kind ON events (kind)`;
  const at = await stage(db, target, definition);
  const steps = naive(at);
  expect(steps.map((step) => step.sql)).toEqual([
    'CREATE INDEX by_kind ON ONLY public.events USING btree (kind)',
  ]);
  await expect(run(at, steps)).rejects.toMatchObject({
    code: 'HF_REHEARSAL',
    what: expect.stringContaining('table public.events, index by_kind: "INVALID '),
  });
  // The planner, asked again about what its plan left, sees nothing to do.
  const seen = planChange(await extract(at.copy.pool), at.goalFacts, OWNERSHIP);
  expect(seen.forward.map((action) => action.sql)).not.toEqual([]);

  const better = await stage(db, target, definition);
  const change = planChange(better.found, better.goalFacts, OWNERSHIP);
  const rehearsed = await run(better, toSteps(change, await targetShape(better.copy.pool, 180000)));
  expect(rehearsed.back).toBe('equal');
});

test('a way back that does not lead back is refused', async ({ db }) => {
  const at = await stage(db, 'CREATE TABLE t (id int)', 'CREATE TABLE t (id int, note text)');
  const steps = naive(at).map((step) => ({ ...step, back: [] }));
  await expect(run(at, steps)).rejects.toMatchObject({
    code: 'HF_REHEARSAL',
    what: expect.stringContaining(
      'the way back on a scratch copy does not end where it should: table public.t, column note',
    ),
  });
});

test('a forward run that forgets something is refused, a half-mended partition too', async ({ db }) => {
  const at = await stage(db, 'CREATE TABLE t (id int)', 'CREATE TABLE t (id int, note text NOT NULL)');
  await expect(run(at, [])).rejects.toMatchObject({ code: 'HF_REHEARSAL' });
  const secured = [EVENTS, ...PARTITIONS, 'ALTER TABLE events ENABLE ROW LEVEL SECURITY'].join(';');
  const parted = await stage(db, secured, `${EVENTS}; ALTER TABLE events ENABLE ROW LEVEL SECURITY`);
  let calls = 0;
  const forgetful = rehearse({
    copy: parted.copy.pool,
    goal: { pool: parted.goal.pool, facts: parted.goalFacts },
    ownership: OWNERSHIP,
    kept: [],
    partitionsAsTheyAre: false,
    steps: [],
    settle: () => Promise.resolve([]),
    mend: (on) => reading(on, async (query) => ((calls += 1) === 1 ? [] : mendPartitions(query, []))),
  });
  await expect(forgetful).rejects.toMatchObject({
    what: expect.stringContaining('partition public.events_01 still needs'),
  });
});

test('partitions that exist get what their parent protects and lose what goes around it', async ({
  db: file,
}) => {
  const db = await file.another();
  const app = `app_${db.name.slice(-8)}`.replaceAll('-', '_');
  const definition = wanted(
    [
      EVENTS,
      'ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      `CREATE POLICY own ON events TO ${app} USING (kind IN ('a', 'b'))`,
      'CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION $m$no$m$; END $$',
      'CREATE TRIGGER kept BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse()',
      'CREATE TRIGGER frozen BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse()',
      'ALTER TABLE events ENABLE ALWAYS TRIGGER kept, ENABLE ALWAYS TRIGGER frozen',
      `GRANT SELECT ON events TO ${app}`,
    ],
    { roles: [role(app)] },
  );
  await db.query(`CREATE ROLE ${app}`);
  try {
    await db.query(
      [EVENTS, ...PARTITIONS, `GRANT SELECT (kind), DELETE ON events_01 TO ${app} WITH GRANT OPTION`].join(
        ';',
      ),
    );
    const start = await catalogueDump(db.pool);
    const plan = await planLowered(definition, db.url, OPTIONS);
    expect(await catalogueDump(db.pool)).toEqual(start);
    expect(plan).toMatchObject({ reversible: true, rehearsal: { back: 'equal' } });
    const onFirst = plan.steps
      .filter((step) => step.subject === 'partition public.events_01')
      .map((step) => step.sql);
    expect(onFirst).toEqual([
      `REVOKE ALL ("kind") ON "public"."events_01" FROM "${app}"`,
      `REVOKE ALL ON "public"."events_01" FROM "${app}"`,
      expect.stringContaining('CREATE POLICY "own" ON "public"."events_01"'),
      'ALTER TABLE "public"."events_01" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      expect.stringContaining('CREATE TRIGGER kept BEFORE TRUNCATE ON public.events_01'),
    ]);
    await runAlone(db.pool, forward(plan.steps));
    const rows = await db.query<{ on: string; policies: string; triggers: string }>(
      `SELECT c.relname AS on, (SELECT string_agg(polname || polroles::regrole[]::text, ',') FROM pg_policy WHERE polrelid = c.oid) AS policies,
              (SELECT string_agg(tgname || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid) AS triggers
       FROM pg_class c WHERE relispartition AND relrowsecurity AND relforcerowsecurity ORDER BY 1`,
    );
    expect(rows).toEqual(
      ['01', '02', '03'].map((month) => ({
        on: `events_${month}`,
        policies: `own{${app}}`,
        triggers: 'frozenA,keptA',
      })),
    );
    expect((await planLowered(definition, db.url, OPTIONS)).steps).toEqual([]);
  } finally {
    await db.query(`DROP OWNED BY ${app}; DROP ROLE ${app}`);
  }
});

test('an index that a failure left invalid on a partitioned table is found and built anew', async ({
  db: file,
}) => {
  const db = await file.another();
  const definition = wanted([EVENTS, 'CREATE INDEX by_kind ON events (kind)']);
  await db.query([EVENTS, ...PARTITIONS, 'CREATE INDEX by_kind ON ONLY events (kind)'].join(';'));
  await db.query("INSERT INTO events VALUES (1, '2026-01-05 00:00:00+00', 'a')");
  const plan = await planLowered(definition, db.url, OPTIONS);
  await runAlone(db.pool, forward(plan.steps));
  const indexes = await db.query<{ valid: boolean }>(
    'SELECT indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname LIKE $1',
    ['events%'],
  );
  expect(indexes).toEqual([{ valid: true }, { valid: true }, { valid: true }, { valid: true }]);
  expect((await planLowered(definition, db.url, OPTIONS)).steps).toEqual([]);
});
