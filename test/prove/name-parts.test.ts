// Owners whose name has parts: guessed where the catalogue says so, with rows that have a part in common, and attacked in
// a run for each part.
import { expect } from 'vitest';
import type { Boundary } from '../../src/define/proof.ts';
import type { CatalogueQuery } from '../../src/define/trait.ts';
import { guessBoundaries } from '../../src/prove/boundary/index.ts';
import { isolationEvidence, proveIsolation, type Isolation } from '../../src/prove/isolation/index.ts';
import { merged, runsOf, type RunResult } from '../../src/prove/isolation/runs.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { boundary, expectClosed, expectTrue, filled, now, rowsOf } from './filling/in-place.ts';

const queryOf =
  (db: TestDatabase): CatalogueQuery =>
  async (sql, values) =>
    db.query(sql, values && [...values]);

const REGION = "region = current_setting('app.region', true)";
const SHOP = "shop = nullif(current_setting('app.shop', true), '')::int";
const BOTH = `${REGION} AND ${SHOP}`;

const secured = (table: string, using: string): string => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY; ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY own ON ${table} USING (${using});`;

/** Shops by region and number, and what is delivered to them. */
const shops = (deliveries: string): string => `
  CREATE TABLE shop (region text, shop int, PRIMARY KEY (region, shop));
  CREATE TABLE delivery (region text, shop int, id int, PRIMARY KEY (region, shop, id),
    FOREIGN KEY (region, shop) REFERENCES shop);
  ${secured('shop', BOTH)} ${secured('delivery', deliveries)}`;

const of = (name: string): { schema: string; name: string } => ({ schema: 'public', name });

/** The setting of each boundary that has parts, with what its owners have in common. */
const partsOf = (boundaries: readonly Boundary[]): string[] =>
  boundaries.flatMap(({ setting, common }) =>
    common === undefined ? [] : [`${setting} beside ${common.map((one) => one.setting).join(', ')}`],
  );

test('a key whose every column is compared with a setting of its own is a name in parts', async ({ db }) => {
  const one = await db.another();
  await one.query(
    `${shops(REGION)} CREATE TABLE tariff (region text, day date, PRIMARY KEY (region, day)); ${secured('tariff', REGION)}`,
  );
  const { boundaries, said } = await guessBoundaries(queryOf(one), { roles: ['web'] });
  expect(boundaries.map(({ setting, carries, common }) => ({ setting, carries, common }))).toEqual([
    {
      setting: 'app.region',
      carries: [{ setting: 'app.shop', of: of('delivery'), column: 'shop' }],
      common: undefined,
    },
    {
      setting: 'app.region',
      carries: undefined,
      common: [{ setting: 'app.shop', of: of('shop'), column: 'shop' }],
    },
    {
      setting: 'app.shop',
      carries: undefined,
      common: [{ setting: 'app.region', of: of('shop'), column: 'region' }],
    },
  ]);
  expect(boundaries[2]).toMatchObject({
    tables: [
      { of: of('delivery'), column: 'shop' },
      { of: of('shop'), column: 'shop' },
    ],
    shared: [
      {
        of: of('tariff'),
        because:
          "it does not hold all parts of an owner's name, and no foreign key leads from it to a row that does",
      },
    ],
    roles: ['web'],
  });
  expect(said.at(-1)).toBe(
    "An owner's name has 2 parts, app.region and app.shop: together they are the key of public.shop. " +
      'Owners that differ in app.region or app.shop alone are attacked in runs of their own.',
  );
});

test.for([
  [
    'a table that the first part alone is the key of',
    'CREATE TABLE regions (region text PRIMARY KEY)',
    ['app.region beside app.shop'],
  ],
  [
    'a table that a foreign key leads to by the first part',
    'CREATE TABLE regions (id text PRIMARY KEY); ALTER TABLE delivery ADD FOREIGN KEY (region) REFERENCES regions',
    ['app.region beside app.shop'],
  ],
  [
    'a number that the server makes',
    'ALTER TABLE shop ALTER shop ADD GENERATED ALWAYS AS IDENTITY',
    ['app.shop beside app.region'],
  ],
  [
    'a first part that is called as an owner is',
    'ALTER TABLE shop RENAME region TO tenant_id; ALTER TABLE delivery RENAME region TO tenant_id',
    ['app.region beside app.shop'],
  ],
  [
    'a second part that is a person',
    'ALTER TABLE shop RENAME shop TO user_id; ALTER TABLE delivery RENAME shop TO user_id',
    [],
  ],
  [
    'most tables ask for the first part only',
    `CREATE TABLE a (region text, shop int); CREATE TABLE b (region text, shop int);
     ${secured('a', REGION)} ${secured('b', REGION)}`,
    [],
  ],
] as const)('%s: what differs alone is no owner', async ([, change, expected], { db }) => {
  const one = await db.another();
  await one.query(`${shops(REGION)} ${change}`);
  const { boundaries } = await guessBoundaries(queryOf(one), { roles: [] });
  expect(partsOf(boundaries)).toEqual(expected);
});

test('rows of owners that have a part in common hold it alike, and so do rows of nobody', async ({ db }) => {
  const population = await filled(
    db,
    `CREATE TABLE shop (region text CHECK (length(region) > 3), shop int, PRIMARY KEY (region, shop));
     CREATE TABLE tariff (region text, day date, PRIMARY KEY (region, day));
     CREATE TABLE delivery (region text, shop int, id serial, day date NOT NULL, PRIMARY KEY (region, shop, id),
       FOREIGN KEY (region, shop) REFERENCES shop, FOREIGN KEY (region, day) REFERENCES tariff)`,
    {
      boundaries: [
        {
          ...boundary('app.shop', [
            ['shop', 'shop'],
            ['delivery', 'shop'],
          ]),
          shared: [{ of: of('tariff'), because: 'the whole region reads it' }],
          common: [{ setting: 'app.region', of: of('shop'), column: 'region' }],
        },
      ],
    },
  );
  const [first, second] = population.worlds;
  const region = first?.settings['app.region'];
  expect(region).toMatch(/^w0\w{4}-/);
  expect(second?.settings['app.region']).toBe(region);
  expect(first?.settings['app.shop']).not.toBe(second?.settings['app.shop']);
  for (const { number, names, settings } of population.worlds) {
    expect(names).toEqual([settings['app.shop']]);
    expect(rowsOf(population, number, 'shop')).toEqual([{ region, shop: names[0] }]);
    const deliveries = rowsOf(population, number, 'delivery');
    expect(deliveries.map((row) => [row['region'], row['shop']])).toEqual([
      [region, names[0]],
      [region, names[0]],
    ]);
  }
  expect(population.shared.length).toBeGreaterThan(0);
  expect(population.shared.map((row) => [row.of.name, row.values['region']])).toEqual(
    population.shared.map(() => ['tariff', region]),
  );
  expect(population.empty).toEqual([]);
  await expectClosed(db, population);
  await expectTrue(db, population);
});

/** The shops, attacked along lines that are given. */
async function attacked(db: TestDatabase, deliveries: string): Promise<Isolation> {
  const one = await db.another();
  const app = one.role('app');
  await one.query(`CREATE ROLE "${app}" LOGIN; ${shops(deliveries)}
    GRANT SELECT, INSERT, UPDATE, DELETE ON shop, delivery TO "${app}"`);
  const tables = ['shop', 'delivery'].map((name) => ({ of: of(name), column: 'shop' }));
  const line: Boundary = {
    name: 'shop',
    setting: 'app.shop',
    tables,
    shared: [],
    roles: [app],
    spanning: [],
    common: [{ setting: 'app.region', of: of('shop'), column: 'region' }],
  };
  return proveIsolation({ url: one.url, scratchUrl: one.url, boundaries: [line], now });
}

test('a definition may state what its owners have in common', async ({ db }) => {
  const held = await attacked(db, BOTH);
  expect(held.crossings).toEqual([]);
  expect(held.saw).toBe(true);
  const { verdict, sections } = isolationEvidence(held);
  expect(verdict).toBe('held');
  expect(sections[0]).toMatchObject({
    lines: [
      `Between one shop and another that have app.region in common: setting app.shop, 2 tables, roles ${held.roles[0] ?? ''}.`,
    ],
  });
  const broken = await attacked(db, REGION);
  expect(isolationEvidence(broken).verdict).toBe('broken');
  expect(new Set(broken.crossings.map(({ object }) => object))).toEqual(new Set(['public.delivery']));
});

const line = (setting: string, common: readonly string[] = []): Boundary => ({
  ...boundary(setting, []),
  ...(common.length === 0
    ? {}
    : { common: common.map((name) => ({ setting: name, of: of('shop'), column: 'x' })) }),
});

test('a boundary with parts is a run of its own, beside those that are none of its parts', () => {
  const [region, person] = [line('app.region'), line('app.person')];
  const byShop = line('app.shop', ['app.region']);
  const byRegion = line('app.region', ['app.shop']);
  expect(runsOf([region, person])).toEqual([[region, person]]);
  expect(runsOf([region, person, byShop, byRegion])).toEqual([
    [region, person],
    [byShop, person],
    [byRegion, person],
  ]);
  expect(runsOf([byShop])).toEqual([[byShop]]);
  expect(runsOf([])).toEqual([]);
});

const result = (part: Partial<RunResult>): RunResult => ({
  roles: ['app'],
  attacks: ['read'],
  objects: ['public.shop'],
  cells: [],
  crossings: [],
  told: [],
  empty: [],
  left: [],
  notes: [],
  saw: true,
  tried: 1,
  versionNumber: 180_000,
  ...part,
});

test('runs are one: of a cell the worst, of what is said each once, what one run lacked by name', () => {
  const cell = { object: 'public.shop', attack: 'read', tried: 2 };
  const told = { subject: 'a', severity: 'info' as const, what: 'b', fix: 'c' };
  const crossing = {
    object: 'public.shop',
    attack: 'read',
    role: 'app',
    sql: 's',
    said: 'd',
    state: 'as one',
  };
  const whole = {
    boundaries: [line('app.region')],
    result: result({ cells: [{ ...cell, outcome: 'held' }], told: [told] }),
  };
  const part = {
    boundaries: [line('app.shop', ['app.region'])],
    result: result({
      cells: [{ ...cell, outcome: 'crossed' }],
      crossings: [crossing],
      told: [told],
      empty: [{ of: of('shop'), why: 'no row was made' }],
      saw: false,
      tried: 3,
    }),
  };
  expect(merged(whole, [])).toBe(whole.result);
  expect(merged(whole, [part])).toEqual({
    ...whole.result,
    cells: [{ ...cell, outcome: 'crossed', tried: 4 }],
    crossings: [{ ...crossing, state: 'as one, owners with the same app.region' }],
    told: [
      told,
      {
        subject: 'owners with the same app.region',
        severity: 'warning',
        what: "no session reached its own owner's rows, so nothing is shown of what they see of each other.",
        fix: 'Name the settings a session carries, and their form.',
      },
    ],
    notes: [{ of: of('shop'), what: 'of owners with the same app.region it has no row: no row was made' }],
    tried: 4,
  });
  const again = merged(part, [part]);
  expect(again.crossings).toHaveLength(1);
  expect(again.empty).toEqual(part.result.empty);
});
