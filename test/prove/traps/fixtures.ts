// Runs fixtures of checks: each is SQL that must fire, and SQL close to it that must not. All of a file share a database
// and one look; each stands in a schema of its own. Then the mends run and the findings must be gone.
import { expect } from 'vitest';
import type { Boundary } from '../../../src/define/index.ts';
import { findTraps, type Finding, type Traps } from '../../../src/prove/traps/index.ts';
import { ident } from '../../../src/sql.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';

/**
 * One check with its two fixtures. In the SQL `{fx}` stands for the fixture's schema (first in the search path), `{app}` for a role that logs in
 * and may use the schema, `{owner}` for one without login, `{bypass}` for one without login and with BYPASSRLS, `{db}` for the database.
 */
export interface Fixture {
  readonly code: `HT${number}`;
  /** Tells two fixtures of one code apart. */
  readonly name?: string;
  readonly fires: string;
  readonly near: string;
  /** The finding's subject, `{fx}` for the schema. */
  readonly subject: string;
  /** Texts that stand in the finding's `what`, `effect` or `advice`. */
  readonly says?: readonly string[];
  readonly severity?: 'error' | 'warning' | 'info';
  /** A statement that fails as `effect` says, run after `fires`; `as` a role. The error's own words are to stand in the finding. */
  readonly fails?: { readonly sql: string; readonly as?: 'app'; readonly with: string };
  /** No statement can mend it; `mend` must be empty then. */
  readonly advised?: true;
  /** Only on these majors and above. */
  readonly from?: number;
  /** Needs a database of its own: it changes what is not in a schema. */
  readonly alone?: true;
  /** A question whose answer its mend leaves as it is. */
  readonly keeps?: string;
  /** Statements that take back what stands outside the database (settings of roles), run at the end. */
  readonly undo?: string;
}

interface Names {
  readonly db: string;
  readonly app: string;
  readonly owner: string;
  readonly bypass: string;
}

/** Defines the tests of a room: `fixtures('isolation', [ … ])`. */
export function fixtures(room: string, given: readonly Fixture[]): void {
  const together = given.filter(({ alone }) => alone !== true);
  let shared: Promise<Looked> | undefined;
  const looked = (db: TestDatabase): Promise<Looked> => (shared ??= lookAtAll(db, together));

  test(`${room}: every fixture could be seen`, { timeout: 120_000 }, async ({ db }) => {
    expect((await looked(db)).traps.unseen).toEqual([]);
  });
  for (const fixture of given) {
    const title = `${fixture.code} ${fixture.name ?? ''}`.trimEnd();
    test(`${title} fires, a near miss does not, and its mend mends`, { timeout: 120_000 }, async ({ db }) => {
      if (fixture.alone !== true) {
        const at = await looked(db);
        if (fixture.from === undefined || at.major >= fixture.from) await judge(fixture, at);
        return;
      }
      const near = await lookAtAll(await db.another(), [fixture], ['near']);
      if (fixture.from !== undefined && near.major < fixture.from) return;
      expect(near.traps.unseen).toEqual([]);
      expect(of(near.traps.findings, fixture, 'near')).toEqual([]);
      const fired = await lookAtAll(await db.another(), [fixture], ['fires']);
      const before = worse((await lookAgain(fired)).findings);
      await judge(fixture, fired);
      expect(newOf(before, await lookAgain(fired))).toEqual([]);
      if (fixture.undo !== undefined) await fired.db.query(named(fixture, fixture.undo, fired));
    });
  }
  test(`${room}: no mend is another check's finding`, { timeout: 120_000 }, async ({ db }) => {
    const at = await looked(db);
    expect(newOf(worse(at.traps.findings), await lookAgain(at))).toEqual([]);
  });
}

function named(fixture: Fixture, subject: string, { names }: Looked): string {
  return filled(subject, schemaOf(fixture, 'fires'), names);
}

/** What every check says of the database now. */
async function lookAgain({ db, boundaries, names }: Looked): Promise<Traps> {
  return findTraps({ url: db.url, boundaries, roles: [names.app], now: new Date() });
}

/** Errors and warnings, as code and object. */
function worse(findings: readonly Finding[]): readonly string[] {
  return findings
    .filter(({ severity }) => severity !== 'info')
    .map(({ code, subject }) => `${code} ${subject}`);
}

function newOf(before: readonly string[], { findings }: Traps): readonly string[] {
  return worse(findings).filter((one) => !before.includes(one));
}

interface Looked {
  readonly db: TestDatabase;
  readonly names: Names;
  readonly major: number;
  readonly traps: Traps;
  readonly boundaries: readonly Boundary[];
}

async function lookAtAll(
  db: TestDatabase,
  given: readonly Fixture[],
  only?: readonly ('fires' | 'near')[],
): Promise<Looked> {
  const names = {
    db: db.name,
    app: db.role('app'),
    owner: db.role('owner'),
    bypass: db.role('bypass'),
  };
  await db.query(`CREATE ROLE ${ident(names.app)} LOGIN; CREATE ROLE ${ident(names.owner)};
    CREATE ROLE ${ident(names.bypass)} BYPASSRLS`);
  const [version] = await db.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const major = version?.major ?? 0;
  for (const fixture of given.filter(({ from = 0 }) => major >= from)) {
    for (const which of only ?? (['fires', 'near'] as const)) await load(db, { fixture, which, names });
  }
  const boundaries = await boundariesOf(db, names);
  // A fixture that stands alone is looked at by its own check alone.
  const codes = only === undefined ? {} : { only: given.map(({ code }) => code) };
  const traps = await findTraps({ url: db.url, boundaries, roles: [names.app], now: new Date(), ...codes });
  return { db, names, major, traps, boundaries };
}

function schemaOf(fixture: Fixture, which: 'fires' | 'near'): string {
  const name =
    fixture.name === undefined ? '' : `_${fixture.name.replaceAll(/[^a-z0-9]+/g, '_').slice(0, 30)}`;
  return `fx_${fixture.code.toLowerCase()}${name}_${which}`;
}

function filled(sql: string, schema: string, names: Names): string {
  return sql
    .replaceAll('{fx}', schema)
    .replaceAll('{app}', names.app)
    .replaceAll('{owner}', names.owner)
    .replaceAll('{bypass}', names.bypass)
    .replaceAll('{db}', names.db);
}

async function load(
  db: TestDatabase,
  { fixture, which, names }: { fixture: Fixture; which: 'fires' | 'near'; names: Names },
): Promise<void> {
  const schema = schemaOf(fixture, which);
  await db.query(
    `CREATE SCHEMA ${schema}; GRANT USAGE ON SCHEMA ${schema} TO ${[names.app, names.owner, names.bypass].map(ident).join(', ')}`,
  );
  const client = await db.pool.connect();
  try {
    await client.query(`SET search_path = ${schema}, public`);
    await client.query(filled(fixture[which], schema, names));
  } catch (error) {
    throw new Error(`${fixture.code} ${which}: ${(error as Error).message}`, { cause: error });
  } finally {
    await client.query('RESET ALL');
    client.release();
  }
}

// Whatever has a tenant_id is somebody's; nothing is guessed here.
async function boundariesOf(db: TestDatabase, names: Names): Promise<readonly Boundary[]> {
  const tables = await db.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_attribute a
     JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname LIKE 'fx\\_%'`,
  );
  return [
    {
      name: 'tenant',
      setting: 'app.tenant_id',
      tables: tables.map((of) => ({ of, column: 'tenant_id' })),
      shared: [],
      roles: [names.app],
      spanning: [],
    },
  ];
}

function of(findings: readonly Finding[], fixture: Fixture, which: 'fires' | 'near'): readonly Finding[] {
  const schema = schemaOf(fixture, which);
  return findings.filter(
    ({ code, subject }) =>
      code === fixture.code &&
      (fixture.alone === true || subject.includes(`${schema}.`) || subject.endsWith(schema)),
  );
}

async function judge(fixture: Fixture, at: Looked): Promise<void> {
  const { db, names, traps } = at;
  const schema = schemaOf(fixture, 'fires');
  const fired = of(traps.findings, fixture, 'fires');
  const subject = filled(fixture.subject, schema, names);
  expect(fired.map((finding) => finding.subject)).toContain(subject);
  const finding = fired.find((one) => one.subject === subject) as Finding;
  if (fixture.alone !== true) expect(of(traps.findings, fixture, 'near')).toEqual([]);
  if (fixture.severity !== undefined) expect(finding.severity).toBe(fixture.severity);
  const said = `${finding.what} ${finding.effect} ${finding.advice}`;
  for (const text of fixture.says ?? []) expect(said).toContain(filled(text, schema, names));
  if (fixture.fails !== undefined) {
    const words = filled(fixture.fails.with, schema, names);
    await expect(runAs(at, filled(fixture.fails.sql, schema, names), fixture.fails.as)).rejects.toThrow(
      words,
    );
    expect(said).toContain(words);
  }
  if (fixture.advised === true) {
    expect(fired.flatMap(({ mend }) => mend)).toEqual([]);
    expect(finding.advice).not.toBe('');
    return;
  }
  const keeps = fixture.keeps === undefined ? undefined : filled(fixture.keeps, schema, names);
  const kept = keeps === undefined ? [] : await db.query(keeps);
  for (const one of fired) {
    expect(one.mend).not.toEqual([]);
    for (const statement of one.mend) {
      await db.query(statement).catch((error: unknown) => {
        throw new Error(`${statement}: ${(error as Error).message}`, { cause: error });
      });
    }
  }
  if (keeps !== undefined) expect(await db.query(keeps)).toEqual(kept);
  const { findings } = await findTraps({
    url: db.url,
    boundaries: at.boundaries,
    roles: [names.app],
    only: [fixture.code],
    now: new Date(),
  });
  expect(of(findings, fixture, 'fires')).toEqual([]);
  if (fixture.alone !== true && fixture.undo !== undefined)
    await db.query(filled(fixture.undo, schema, names));
}

async function runAs(at: Looked, sql: string, as: 'app' | undefined): Promise<void> {
  const client = await at.db.pool.connect();
  try {
    if (as === 'app') await client.query(`SET ROLE ${ident(at.names.app)}`);
    await client.query(sql);
  } finally {
    await client.query('ROLLBACK; RESET ALL; RESET ROLE');
    client.release();
  }
}
