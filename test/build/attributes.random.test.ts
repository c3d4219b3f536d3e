// Random attributes of objects that stay (comments, storage parameters, replica identity, row security, switched triggers
// and rules), planned, run and taken back. HOLDFAST_TEST_ATTRIBUTES says how many; HOLDFAST_TEST_SEED
// where to begin.
import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { extract, managedKeys, planChange, type Ownership } from '../../src/build/engine/index.ts';
import { forward, runAlone, waysBack } from '../../src/build/catalogue-session.ts';
import { toSteps } from '../../src/build/online/index.ts';
import { targetShape } from '../../src/build/shape.ts';
import { randomly } from '../prove/filling/random-schema.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const COUNT = Number(process.env['HOLDFAST_TEST_ATTRIBUTES'] ?? 12);
const FIRST = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1);

const OBJECTS = `
  DROP SCHEMA IF EXISTS rw CASCADE; CREATE SCHEMA rw;
  CREATE TABLE rw.t (id int NOT NULL, a text, b int, CONSTRAINT pk PRIMARY KEY (id), CONSTRAINT good CHECK (b > 0));
  CREATE UNIQUE INDEX once ON rw.t (id) INCLUDE (a); CREATE INDEX low ON rw.t (lower(a));
  CREATE TABLE rw.p (id int, at date) PARTITION BY RANGE (at);
  CREATE VIEW rw.v AS SELECT id, a FROM rw.t;
  CREATE MATERIALIZED VIEW rw.m AS SELECT id, a FROM rw.t;
  CREATE SEQUENCE rw.q; CREATE TYPE rw.e AS ENUM ('x'); CREATE DOMAIN rw.o AS int CONSTRAINT sane CHECK (VALUE > 0);
  CREATE TYPE rw.c AS (one int, two text);
  CREATE FUNCTION rw.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
  CREATE PROCEDURE rw.d() LANGUAGE sql AS $$SELECT 1$$;
  CREATE TRIGGER tg BEFORE UPDATE ON rw.t FOR EACH ROW EXECUTE FUNCTION rw.f();
  CREATE TRIGGER tp BEFORE UPDATE ON rw.p FOR EACH ROW EXECUTE FUNCTION rw.f();
  CREATE RULE ru AS ON DELETE TO rw.t DO ALSO NOTHING;
  CREATE POLICY po ON rw.t USING (true);`;

const COMMENTED = [
  'SCHEMA rw',
  'TABLE rw.t',
  'COLUMN rw.t.a',
  'CONSTRAINT good ON rw.t',
  'CONSTRAINT pk ON rw.t',
  'INDEX rw.low',
  'TABLE rw.p',
  'COLUMN rw.p.at',
  'VIEW rw.v',
  'MATERIALIZED VIEW rw.m',
  'SEQUENCE rw.q',
  'TYPE rw.e',
  'DOMAIN rw.o',
  'CONSTRAINT sane ON DOMAIN rw.o',
  'TYPE rw.c',
  'FUNCTION rw.f()',
  'PROCEDURE rw.d()',
  'TRIGGER tg ON rw.t',
  'RULE ru ON rw.t',
  'POLICY po ON rw.t',
];
const STATES = ['ENABLE', 'DISABLE', 'ENABLE REPLICA', 'ENABLE ALWAYS'];
const ALTERS: readonly (readonly string[])[] = [
  [
    'ALTER TABLE rw.t SET (fillfactor = 70)',
    'ALTER TABLE rw.t RESET (fillfactor)',
    'ALTER TABLE rw.t SET (autovacuum_enabled = off)',
  ],
  ['ALTER TABLE rw.t SET (toast.autovacuum_enabled = off)'],
  ['ALTER INDEX rw.low SET (fillfactor = 60)', 'ALTER INDEX rw.low RESET (fillfactor)'],
  ['ALTER MATERIALIZED VIEW rw.m SET (fillfactor = 60)'],
  ['ALTER VIEW rw.v SET (security_barrier = true)', 'ALTER VIEW rw.v SET (security_invoker = true)'],
  [
    'ALTER TABLE rw.t REPLICA IDENTITY FULL',
    'ALTER TABLE rw.t REPLICA IDENTITY NOTHING',
    'ALTER TABLE rw.t REPLICA IDENTITY USING INDEX pk',
  ],
  ['ALTER TABLE rw.t ENABLE ROW LEVEL SECURITY', 'ALTER TABLE rw.p ENABLE ROW LEVEL SECURITY'],
  ['ALTER TABLE rw.t FORCE ROW LEVEL SECURITY', 'ALTER TABLE rw.p FORCE ROW LEVEL SECURITY'],
  STATES.map((state) => `ALTER TABLE rw.t ${state} TRIGGER tg`),
  STATES.map((state) => `ALTER TABLE rw.p ${state} TRIGGER tp`),
  STATES.map((state) => `ALTER TABLE rw.t ${state} RULE ru`),
  [
    'ALTER FUNCTION rw.f() SET search_path = pg_catalog',
    'ALTER FUNCTION rw.f() COST 7',
    'ALTER FUNCTION rw.f() SECURITY DEFINER',
  ],
  ['ALTER SEQUENCE rw.q CACHE 5', 'ALTER SEQUENCE rw.q INCREMENT 3 MAXVALUE 900 CYCLE'],
  ['ALTER TABLE rw.t ALTER b SET DEFAULT 4'],
];

function randomAttributes(seed: number): string[] {
  const below = randomly(seed);
  const one = <Item>(of: readonly Item[]): Item => of[below(of.length)] as Item;
  const comments = COMMENTED.filter(() => below(4) === 0).map(
    (what) => `COMMENT ON ${what} IS '${one(['new', "it''s", 'old'])}'`,
  );
  return [...comments, ...ALTERS.filter(() => below(2) === 0).map(one)];
}

test(
  `${COUNT} databases get other attributes and their own again`,
  { timeout: 60_000 + COUNT * 10_000 },
  async ({ db }) => {
    const [here, there] = [await db.another(), await db.another()];
    for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
      for (const [at, one] of [here, there].entries()) {
        await one.query(OBJECTS);
        for (const sql of randomAttributes(seed + at * 500_000)) await one.query(sql);
      }
      await changed(seed, here, there);
    }
  },
);

async function changed(seed: number, here: TestDatabase, there: TestDatabase): Promise<void> {
  const [before, goal] = [await catalogueDump(here.pool), await catalogueDump(there.pool)];
  const [found, wanted] = [await extract(here.pool), await extract(there.pool)];
  const ownership: Ownership = {
    previous: new Set(managedKeys(found)),
    allowed: new Set(),
    publicTouched: false,
  };
  const change = planChange(found, wanted, ownership);
  const steps = toSteps(change, await targetShape(here.pool, 150_000));
  await runAlone(here.pool, forward(steps));
  const seen = (left: unknown): unknown => [seed, steps.map(({ sql }) => sql), left];
  expect(seen(await catalogueDump(here.pool))).toEqual(seen(goal));
  await runAlone(here.pool, waysBack(steps));
  expect(seen(await catalogueDump(here.pool))).toEqual(seen(before));
}
