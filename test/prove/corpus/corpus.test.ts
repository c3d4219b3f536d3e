// What `holdfast prove URL` runs finds every hole of the corpus, names its object and the way across, says nothing of
// what is not so, and says nothing of the near misses. It is told nothing but the URL.
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { isolationEvidence, proveIsolation, type Isolation } from '../../../src/prove/isolation/index.ts';
import { CHECKS, findTraps, type Finding } from '../../../src/prove/traps/index.ts';
import { embedded, type Embedded } from '../../../src/server/index.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';
import { readCases, type Case } from './case.ts';
import { onStage, type Staged } from './stage.ts';

const major = Number(process.env['HOLDFAST_TEST_PG'] ?? 18);
// Every tenth case, or all of them: HOLDFAST_CORPUS=all. The proofs by hand run for all of them at every time.
const stride = process.env['HOLDFAST_CORPUS'] === 'all' ? 1 : 10;
const casesOf = (folder: string): Case[] =>
  readCases(new URL(folder, import.meta.url)).filter(({ from }, at) => at % stride === 0 && from <= major);
const holes = casesOf('./holes');
const nearMisses = casesOf('./near-misses');

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
  'next request': ['next request'],
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

// Nothing on it outlives the test.
const FORGETFUL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

let scratch: Embedded;
beforeAll(async () => {
  scratch = await embedded({ ephemeral: true, major, settings: FORGETFUL });
});
afterAll(async () => {
  await scratch.stop();
});

async function prove(db: TestDatabase, on: Staged): Promise<Said> {
  const now = new Date();
  const before = await stateOf(db, on);
  const isolation = await proveIsolation({ url: on.url, scratchUrl: scratch.url, now });
  const { findings } = await findTraps({ url: on.url, now });
  expect(await stateOf(db, on)).toEqual(before);
  return { isolation, findings };
}

const proveCase = async (db: TestDatabase, one: Case): Promise<{ on: Staged; said: Said }> =>
  onStage(db, one, async (on) => ({ on, said: await prove(db, on) }));

// What the proofs must leave as it was: rows, objects, policies, rights, and the roles with their passwords.
const STATE_SQL = `
  SELECT pg_catalog.jsonb_build_object(
    'rows', (SELECT pg_catalog.jsonb_object_agg(c.oid::pg_catalog.regclass, pg_catalog.query_to_xml(
        pg_catalog.format('SELECT xmin, ctid, t::text FROM ONLY %s AS t', c.oid::pg_catalog.regclass), true, true, ''))
      FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm')
        AND c.relnamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_')),
    'relations', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
        oid, relname, relacl::text, relowner, relrowsecurity, relforcerowsecurity) ORDER BY oid)
      FROM pg_catalog.pg_class WHERE oid >= 16384),
    'policies', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(oid, xmin) ORDER BY oid) FROM pg_catalog.pg_policy),
    'functions', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(oid, xmin) ORDER BY oid)
      FROM pg_catalog.pg_proc WHERE oid >= 16384),
    'large objects', (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
    'roles', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(oid, xmin) ORDER BY oid)
      FROM pg_catalog.pg_authid WHERE rolname = ANY ($1)),
    'members', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(m.roleid, m.member, m.xmin) ORDER BY m.roleid, m.member)
      FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_authid r ON r.oid = m.member WHERE r.rolname = ANY ($1))
  )::text AS state`;

async function stateOf(db: TestDatabase, on: Staged): Promise<string | undefined> {
  const [row] = await db.query<{ state: string }>(STATE_SQL, [on.roles]);
  return row?.state;
}

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

const trapsOf = (code: string): readonly string[] => CHECKS.find((check) => check.code === code)?.traps ?? [];

function toldIn(on: Staged, said: Said, one: Case): string[] {
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
    if (one.limit === undefined) expect(seen, saidOf(on, said)).not.toEqual([]);
    else expect(seen, `${one.name} is found now: take its "limit" out`).toEqual([]);
    expect(inventedIn(on, said, one)).toEqual([]);
    const { verdict } = isolationEvidence(said.isolation);
    expect(verdict).toBe(said.isolation.crossings.length > 0 ? 'broken' : 'held');
  });
});

describe('near misses', () => {
  test.for(nearMisses)('$name', async (one, { db }) => {
    const { on, said } = await proveCase(db, one);
    const wrong = wrongIn(on, said, one);
    if (one.limit === undefined) expect(wrong).toEqual([]);
    else expect(wrong, `${one.name} is right now: take its "limit" out`).not.toEqual([]);
  });
});

/** What is said of a near miss that is not so, or what was not looked at. */
function wrongIn(on: Staged, { isolation, findings }: Said, one: Case): string[] {
  const { verdict } = isolationEvidence(isolation);
  const loud = [...isolation.told, ...findings].filter(
    (finding) => finding.severity !== 'info' && ofDatabase(finding),
  );
  // That nothing crossed says something only where something was tried, on rows.
  const held = isolation.cells.filter(
    ({ attack, outcome }) => outcome === 'held' && ['read', 'insert'].includes(attack),
  );
  const unseen = tablesUnderRowSecurity(one).filter((table) => !held.some(({ object }) => object === table));
  return [
    ...isolation.crossings.map((crossing) => lineOf(on, crossing)),
    ...loud.map(({ subject, what }) => `told: ${subject}: ${what}`),
    ...(verdict === 'held' ? [] : [`the verdict is ${verdict}`]),
    ...isolation.empty.map(({ of, why }) => `no row in ${of.schema}.${of.name}: ${why}`),
    ...unseen.map((table) => `${table} was not attacked`),
    ...(isolation.tried > 20 ? [] : [`only ${isolation.tried} attacks`]),
  ].map((line) => on.plain(line));
}
