// What `holdfast prove URL` runs finds every hole of the corpus, names its object and the way across, says nothing of
// what is not so, and says nothing of the near misses. It is told nothing but the URL.
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { proveIsolation, type Isolation } from '../../../src/prove/isolation/index.ts';
import { CHECKS, findTraps, type Finding } from '../../../src/prove/traps/index.ts';
import { embedded, type Embedded } from '../../../src/server/index.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';
import { readCases, type Case } from './case.ts';
import { onStage, type Staged } from './stage.ts';

const major = Number(process.env['HOLDFAST_TEST_PG'] ?? 18);
const holes = readCases(new URL('./holes', import.meta.url)).filter(({ from }) => from <= major);
const nearMisses = readCases(new URL('./near-misses', import.meta.url)).filter(({ from }) => from <= major);

// The corpus's words for a way across, and the columns of the matrix that are that way.
const WAYS: Readonly<Record<string, readonly string[]>> = {
  read: ['read', 'COPY', 'cursor', 'prepared'],
  insert: ['insert', 'upsert', 'MERGE'],
  move: ['move'],
  update: ['update', 'MERGE', 'upsert', 'side effect'],
  delete: ['delete', 'MERGE', 'side effect'],
  truncate: ['TRUNCATE'],
  reference: ['foreign key'],
  reveal: ['existence', 'upsert', 'foreign key', 'call'],
  function: ['call'],
  leak: ['leaky filter'],
  unset: ['no setting'],
  empty: ['empty setting', 'next request'],
  malformed: ['malformed setting'],
  prepared: ['prepared', 'next request'],
  plant: ['planted object'],
  'set role': ['SET ROLE'],
  trigger: ['side effect', 'planted object'],
  statistics: ['statistics', 'read'],
  'large object': ['large object'],
  notify: ['NOTIFY'],
};

interface Said {
  readonly isolation: Isolation;
  readonly findings: readonly Finding[];
}

let scratch: Embedded;
beforeAll(async () => {
  scratch = await embedded({ ephemeral: true, major });
});
afterAll(async () => {
  await scratch.stop();
});

async function prove(on: Staged): Promise<Said> {
  const now = new Date();
  const isolation = await proveIsolation({ url: on.url, scratchUrl: scratch.url, now });
  const { findings } = await findTraps({ url: on.url, now });
  return { isolation, findings };
}

const proveCase = async (db: TestDatabase, one: Case): Promise<{ on: Staged; said: Said }> =>
  onStage(db, one, async (on) => ({ on, said: await prove(on) }));

// `function app.search(words text)`, `app.search(text)` and `app.search` name one thing; `role {app}` and `{app}` as well.
const withoutArguments = (name: string): string => name.replace(/\(.*\)/, '').replaceAll('"', '');
const names = (on: Staged, subject: string, objects: readonly string[]): boolean => {
  const said = withoutArguments(on.plain(subject));
  return objects.map(withoutArguments).some((object) => said === object || said.endsWith(` ${object}`));
};
const lineOf = (on: Staged, { object, attack, state, sql, said }: Isolation['crossings'][number]): string =>
  on.plain(`${object}: ${attack} (${state}): ${sql.replaceAll('\n', ' ')} → ${said}`);
// The server's own leaks are the server's, not the database's.
const ofDatabase = ({ subject }: { subject: string }): boolean => !subject.startsWith('PostgreSQL ');

function crossedIn(on: Staged, said: Said, one: Case): string[] {
  const ways = one.attacks.flatMap((attack) => WAYS[attack] ?? []);
  return said.isolation.crossings
    .filter(({ object, attack }) => ways.includes(attack) && names(on, object, one.objects))
    .map(({ object, attack }) => `${on.plain(object)}: ${attack}`);
}

function toldIn(on: Staged, said: Said, one: Case): string[] {
  const trapsOf = (code: string): readonly string[] =>
    CHECKS.find((check) => check.code === code)?.traps ?? [];
  const told = said.isolation.told.filter(
    ({ subject, severity }) => severity !== 'info' && names(on, subject, one.objects),
  );
  const findings = said.findings.filter(
    ({ code, subject, severity }) =>
      severity !== 'info' &&
      names(on, subject, one.objects) &&
      (one.traps.length === 0 || trapsOf(code).some((trap) => one.traps.includes(trap))),
  );
  return [...told, ...findings].map(({ subject, what }) => `${subject}: ${what}`);
}

/** Ways across at objects that the case does not name. */
const inventedIn = (on: Staged, said: Said, one: Case): string[] =>
  said.isolation.crossings
    .filter(({ object }) => !names(on, object, [...one.objects, ...one.also]))
    .map((crossing) => lineOf(on, crossing));

// Every table of a near miss that is somebody's is under row security, so each must have been attacked.
const tablesUnderRowSecurity = ({ build }: Case): string[] => [
  ...new Set(
    [...build.matchAll(/ALTER TABLE (\S+) ENABLE ROW LEVEL SECURITY/g)].map(([, table]) => table ?? ''),
  ),
];

/** Everything that was said above information, for the message of a test that fails. */
function saidOf(on: Staged, { isolation, findings }: Said): string {
  const loud = [...isolation.told, ...findings].filter((one) => one.severity !== 'info' && ofDatabase(one));
  return [
    `crossed: ${[...new Set(isolation.crossings.map(({ object, attack }) => `${object}: ${attack}`))].join('; ')}`,
    ...loud.map(({ subject, what }) => `told: ${subject}: ${what}`),
    ...isolation.empty.map(({ of, why }) => `empty: ${of.schema}.${of.name}: ${why}`),
  ]
    .map((line) => on.plain(line))
    .join('\n');
}

describe('holes', () => {
  test.for(holes)('$name', async (one, { db }) => {
    const { on, said } = await proveCase(db, one);
    const seen = [
      ...(one.seen.includes('crossed') ? crossedIn(on, said, one) : []),
      ...(one.seen.includes('told') ? toldIn(on, said, one) : []),
    ];
    expect(seen, saidOf(on, said)).not.toEqual([]);
    expect(inventedIn(on, said, one)).toEqual([]);
  });
});

describe('near misses', () => {
  test.for(nearMisses)('$name', async (one, { db }) => {
    const { on, said } = await proveCase(db, one);
    const { crossings, told, empty, tried } = said.isolation;
    expect(crossings.map((crossing) => lineOf(on, crossing))).toEqual([]);
    expect(told.filter((one) => one.severity !== 'info' && ofDatabase(one))).toEqual([]);
    expect(said.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    // That nothing crossed says something only where something was tried, on rows.
    expect(empty).toEqual([]);
    expect(tried).toBeGreaterThan(20);
    const { cells } = said.isolation;
    const held = cells.filter(
      ({ attack, outcome }) => outcome === 'held' && ['read', 'insert'].includes(attack),
    );
    expect(
      tablesUnderRowSecurity(one).filter((table) => !held.some(({ object }) => object === table)),
    ).toEqual([]);
  });
});
