// `--fix` on a real server: mends become a plan that goes there, ends the findings, and comes back.
import { expect } from 'vitest';
import { apply, fingerprint, rollback } from '../../src/build/index.ts';
import { findTraps, type Finding, planFixes, type Traps } from '../../src/prove/traps/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const NOW = new Date('2026-03-15T12:00:00Z');
const SHOP = `
  CREATE SCHEMA shop;
  CREATE TABLE shop.customers (id bigint PRIMARY KEY, mail text NOT NULL, sure numeric,
    CONSTRAINT sure CHECK (sure BETWEEN 0 AND 1 OR NULL));
  CREATE TABLE shop.orders (id bigint, at timestamptz NOT NULL, customer bigint CONSTRAINT buyer REFERENCES shop.customers,
    PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE shop.orders_2026_02 PARTITION OF shop.orders FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
  CREATE TABLE shop.orders_2024_01 PARTITION OF shop.orders FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
  ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
  CREATE INDEX mails ON shop.customers (mail); CREATE INDEX mails_again ON shop.customers (mail);
  CREATE UNIQUE INDEX broken ON shop.customers (lower(mail));
  CREATE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$BEGIN RAISE 'kept'; END$$;
  CREATE TRIGGER keep BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.keep();
  ALTER TABLE shop.orders_2026_02 DISABLE TRIGGER keep;
  INSERT INTO shop.customers SELECT n, n::text FROM generate_series(1, 100) n;
  INSERT INTO shop.orders SELECT n, '2026-02-03', 1 + n % 100 FROM generate_series(1, 40000) n;
  UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass`;
const MENDED = ['HT501', 'HT503', 'HT505', 'HT512', 'HT601', 'HT701', 'HT702', 'HT704'];

async function look(db: TestDatabase): Promise<Traps> {
  return findTraps({ url: db.url, boundaries: [], only: [...MENDED, 'HT710'], now: NOW });
}

function worse({ findings }: Traps): readonly string[] {
  return findings
    .filter(({ severity }) => severity !== 'info')
    .map(({ code, subject }) => `${code} ${subject}`);
}

test('mends become one plan; when it has run the findings are gone, and back they are when it is taken back', async ({
  db,
}) => {
  await db.query(SHOP);
  const traps = await look(db);
  const before = worse(traps);
  expect(before).toEqual([
    'HT501 table shop.orders',
    'HT512 trigger keep on shop.orders_2026_02',
    'HT601 constraint sure on shop.customers',
    'HT704 index broken on shop.customers',
    'HT505 table shop.orders_2024_01',
    'HT701 foreign key buyer on shop.orders',
    'HT702 index mails_again on shop.customers',
    'HT710 table shop.orders',
  ]);
  const was = await fingerprint(db.pool);
  const plan = await planFixes(db.url, traps, { now: NOW });
  expect(await fingerprint(db.pool)).toBe(was);
  expect(plan).toMatchObject({
    reversible: true,
    manages: [],
    rehearsal: { forward: 'equal', back: 'equal' },
  });
  const sql = plan.steps.map((step) => step.sql);
  expect(sql.filter((one) => one.includes('CONCURRENTLY'))).toEqual(
    expect.arrayContaining([
      expect.stringContaining('CREATE UNIQUE INDEX CONCURRENTLY "broken_hf_new"'),
      expect.stringContaining('DROP INDEX CONCURRENTLY IF EXISTS "shop"."mails_again"'),
    ]),
  );
  expect(plan.notes).toEqual([
    'HT710 table shop.orders: not in the plan, it is run by hand, since it changes no structure of the database: ANALYZE "shop"."orders".',
  ]);
  expect((await apply(plan, db.url)).endsAsPlanned).toBe(true);
  expect(worse(await look(db))).toEqual(['HT710 table shop.orders']);
  await db.query(`INSERT INTO shop.orders VALUES (1, '2026-03-15'), (2, '2026-04-15')`);
  await db.query(`DELETE FROM shop.orders WHERE at > '2026-03-01'`);
  await rollback(db.url, { to: 'previous' });
  expect(worse(await look(db)).filter((one) => !one.startsWith('HT704'))).toEqual(
    before.filter((one) => !one.startsWith('HT704')),
  );
});

test('a partition that was written to stays when the plan is taken back', async ({ db }) => {
  const other = await db.another();
  await other.query(`CREATE TABLE t (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)`);
  const traps = await findTraps({ url: other.url, boundaries: [], only: ['HT501'], now: NOW });
  const plan = await planFixes(other.url, traps, { now: NOW });
  expect(plan.steps.filter(({ sql }) => sql.includes('ATTACH'))).toMatchObject([
    { lock: 'SHARE UPDATE EXCLUSIVE', locks: ['public.t'] },
    { lock: 'SHARE UPDATE EXCLUSIVE', locks: ['public.t'] },
  ]);
  await apply(plan, other.url);
  await other.query(`INSERT INTO t VALUES (1, '2026-03-15')`);
  await rollback(other.url, { to: 'previous' });
  expect(await other.query('SELECT id FROM t')).toEqual([{ id: 1 }]);
  expect(await other.query(`SELECT relname FROM pg_class WHERE relispartition ORDER BY 1`)).toEqual([
    { relname: 't_2026_03' },
  ]);
});

const finding = (code: `HT${number}`, mend: readonly string[], more: Partial<Finding> = {}): Finding => ({
  code,
  severity: 'error',
  subject: 'table public.plain',
  what: '',
  effect: '',
  advice: 'Think.',
  mend,
  ...more,
});

test('one mend that no plan can hold does not cost the others theirs', async ({ db }) => {
  const other = await db.another();
  await other.query('CREATE TABLE plain (a int, b int)');
  const plan = await planFixes(
    other.url,
    {
      findings: [
        finding('HT1', ['CREATE STATISTICS pair ON a, b FROM plain']),
        finding('HT2', ['ALTER TABLE plain ALTER COLUMN a SET NOT NULL']),
        finding('HT3', ['ALTER TABLE plain ADD COLUMN c int', 'ALTER TABLE plain DROP COLUMN nowhere']),
        finding('HT4', []),
        finding('HT5', ['DROP TABLE plain'], { accepted: 'meant' }),
        finding('HT6', ['DROP TABLE plain'], { severity: 'info' }),
        finding('HT7', ['ALTER ROLE nobody SET work_mem = 1']),
      ],
    },
    { now: NOW },
  );
  expect(plan.steps.map((step) => step.sql).join()).toContain('SET NOT NULL');
  expect(plan.steps.map((step) => step.sql).join()).not.toContain('"c"');
  expect(plan.notes.map((note) => note.slice(0, 75))).toEqual([
    expect.stringMatching(/^HT4 table public.plain: not in the plan, no statement mends it/),
    expect.stringMatching(/^HT7 table public.plain: not in the plan, it is run by hand/),
    expect.stringMatching(/^HT1 table public.plain: not in the plan, it cannot be planned/),
    expect.stringMatching(/^HT3 table public.plain: not in the plan, on a copy without/),
  ]);
  expect(plan.notes[3]).toContain('column "nowhere" of relation "plain" does not exist');
});

const ACL_SQL = `SELECT relname, relacl::text AS acl FROM pg_class WHERE relname IN ('given', 'lent') ORDER BY 1`;

test('a right is taken and comes back where default privileges grant the same', async ({ db }) => {
  const other = await db.another();
  const [app, lender] = [other.role('app'), other.role('lender')];
  await other.query(`CREATE ROLE "${app}"; CREATE ROLE "${lender}";
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, TRUNCATE ON TABLES TO "${app}";
    CREATE TABLE given (a int); CREATE TABLE lent (a int);
    GRANT UPDATE ON lent TO "${lender}" WITH GRANT OPTION;
    SET ROLE "${lender}"; GRANT UPDATE ON lent TO "${app}"; RESET ROLE`);
  const before = await other.query(ACL_SQL);
  const findings = [
    finding('HT1', [`REVOKE INSERT, TRUNCATE ON TABLE given FROM "${app}"`], {
      subject: 'table public.given',
    }),
    finding('HT2', [`REVOKE UPDATE ON TABLE lent FROM "${app}"`], { subject: 'table public.lent' }),
    finding('HT3', ['ALTER TABLE lent ALTER COLUMN a SET NOT NULL'], { subject: 'table public.lent' }),
  ];
  const plan = await planFixes(other.url, { findings }, { now: NOW });
  expect(plan.steps.map(({ sql, back }) => [sql, back?.map((one) => one.sql)])).toEqual([
    [
      'ALTER TABLE "public"."lent" ALTER COLUMN "a" SET NOT NULL',
      ['ALTER TABLE "public"."lent" ALTER COLUMN "a" DROP NOT NULL'],
    ],
    [
      `REVOKE INSERT, TRUNCATE ON TABLE "public"."given" FROM "${app}"`,
      [`GRANT INSERT, TRUNCATE ON TABLE "public"."given" TO "${app}"`],
    ],
  ]);
  expect(plan.notes).toEqual([
    `HT2 table public.lent: not in the plan, it cannot be planned: UPDATE is to be taken from ${app}, and ${app} holds it from ${lender}, who is not the owner: only ${lender} can take it back: REVOKE UPDATE ON TABLE lent FROM "${app}".`,
  ]);
  expect((await apply(plan, other.url)).endsAsPlanned).toBe(true);
  expect(JSON.stringify(await other.query(ACL_SQL))).toContain(`${app}=r/`);
  await rollback(other.url, { to: 'previous' });
  expect(await other.query(ACL_SQL)).toEqual(before);
});

const indexing = (code: Finding['code']): Finding => ({
  code,
  severity: 'warning',
  subject: 'table public.t',
  what: 'a',
  effect: 'b',
  advice: 'c',
  mend: ['CREATE INDEX CONCURRENTLY ON "public"."t" ("tenant_id")'],
});

test('an index that two findings ask for is made once', async ({ db }) => {
  const one = await db.another();
  await one.query('CREATE TABLE t (tenant_id text)');
  const plan = await planFixes(
    one.url,
    { findings: [indexing('HT701'), indexing('HT707')] },
    { now: NOW, scratchUrl: one.url },
  );
  expect(plan.notes).toEqual([]);
  expect(plan.steps.filter(({ sql }) => sql.includes('CREATE INDEX'))).toHaveLength(1);
});
