// What was proved, in the ledger: whole, in order, bounded, and never where it must not be written.
import { Client } from 'pg';
import { expect, onTestFinished, test as plain } from 'vitest';
import { collectProofs, type Boundary, type Model, type Trait } from '../../src/define/index.ts';
import { migrate } from '../../src/ledger/index.ts';
import { migrations } from '../../src/ledger/migrations.ts';
import { type Evidence, proofs, recordProof, type ProofRecord, standing } from '../../src/prove/index.ts';
import { release } from '../../src/server/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const AT = new Date('2026-11-21T12:00:00Z');

function seen(proof: string, over: Partial<Evidence> = {}): Evidence {
  const line = `${proof}: as promised`;
  return { proof, verdict: 'held', line, figures: { attacks: 3 }, sections: [], durationMs: 5, ...over };
}

const of = (name: string): { schema: string; name: string } => ({ schema: 'public', name });

function record(evidence: Evidence, minute = 0): ProofRecord & { definition: string } {
  return {
    definition: 'shop',
    target: 'postgres://app@db/shop',
    fingerprint: 'f00d',
    serverVersion: '18.4',
    release,
    startedAt: new Date(AT.getTime() + minute * 60_000),
    finishedAt: new Date(AT.getTime() + minute * 60_000 + 1_500),
    evidence,
  };
}

async function session(url: string): Promise<Client> {
  const client = new Client(url);
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

async function ledger(db: TestDatabase): Promise<{ readonly db: TestDatabase; readonly client: Client }> {
  const own = await db.another();
  const client = await session(own.url);
  await migrate(client);
  return { db: own, client };
}

test('a record comes back as it went in; the newest of each proof can be asked for', async ({ db }) => {
  const { client } = await ledger(db);
  const whole = seen('isolation', {
    verdict: 'broken',
    sections: [{ kind: 'statement', title: 'x', sql: "SELECT 'é\u202E'" }],
  });
  expect(await recordProof(client, record(whole))).toEqual({ record: '1' });
  await recordProof(client, record(seen('traps'), 1));
  await recordProof(client, record(seen('isolation'), 2));
  const all = await proofs(client, { definition: 'shop' });
  expect(all.map(({ record: number, evidence }) => [number, evidence.proof, evidence.verdict])).toEqual([
    ['3', 'isolation', 'held'],
    ['2', 'traps', 'held'],
    ['1', 'isolation', 'broken'],
  ]);
  expect(all[2]).toEqual({
    ...record(whole),
    record: '1',
    byRole: expect.any(String) as string,
    byHost: expect.stringContaining(`(${process.pid})`) as string,
  });
  const newest = await proofs(client, { definition: 'shop', newest: true });
  expect(newest.map((one) => one.record)).toEqual(['3', '2']);
  expect(await proofs(client, { definition: 'shop', proof: 'isolation', limit: 1 })).toHaveLength(1);
  expect(await proofs(client, { definition: 'another' })).toEqual([]);
});

test('what no jsonb can hold does not lose a record', async ({ db }) => {
  const { client } = await ledger(db);
  const odd = seen('traps', { line: 'zero \0 half \uD800 whole \u{1F600}', figures: { 'a\0b': 'c\uDC00' } });
  expect(await recordProof(client, record(odd))).toEqual({ record: '1' });
  const [back] = await proofs(client, { definition: 'shop' });
  expect(back?.evidence.line).toBe('zero \uFFFD half \uFFFD whole \u{1F600}');
  expect(back?.evidence.figures).toEqual({ 'a\uFFFDb': 'c\uFFFD' });
});

test('the history is bounded in rows and in bytes, also with many who write at once', async ({ db }) => {
  const { db: own, client } = await ledger(db);
  for (let at = 0; at < 7; at += 1) await recordProof(client, record(seen('traps'), at), { keep: 5 });
  await recordProof(client, record(seen('isolation')), { keep: 5 });
  const kept = await proofs(client, { definition: 'shop', proof: 'traps' });
  expect(kept.map((one) => one.record)).toEqual(['7', '6', '5', '4', '3']);
  const sessions = await Promise.all(Array.from({ length: 8 }, () => session(own.url)));
  await Promise.all(sessions.map((one) => recordProof(one, record(seen('traps')), { keep: 5 })));
  await recordProof(client, record(seen('traps')), { keep: 5 });
  expect(await proofs(client, { definition: 'shop', proof: 'traps' })).toHaveLength(5);
  expect(await proofs(client, { definition: 'shop', proof: 'isolation' })).toHaveLength(1);

  const long = seen('long', { sections: [{ kind: 'text', lines: ['x'.repeat(3_000)] }] });
  await recordProof(client, record(long), { maxBytes: 1_000 });
  const [cut] = await proofs(client, { definition: 'shop', proof: 'long' });
  expect(cut?.evidence).toMatchObject({ verdict: 'held', figures: { attacks: 3 } });
  expect(cut?.evidence.sections).toEqual([
    {
      kind: 'text',
      lines: [
        expect.stringMatching(
          /^The rest of this evidence \(\d+ bytes\) is more than a ledger keeps \(1000 bytes\)\.$/,
        ) as string,
      ],
    },
  ]);
});

test('a ledger of an earlier release is brought to this one', async ({ db }) => {
  const { db: own, client } = await ledger(db);
  const later = migrations.filter(({ number }) => number >= 3).map(({ number }) => number);
  await own.query('DROP TABLE holdfast.proof');
  await own.query('DELETE FROM holdfast.migration WHERE number = 3');
  expect(later).toContain(3);
  expect(await proofs(client, { definition: 'shop' })).toEqual([]);
  expect(await recordProof(client, record(seen('traps')))).toEqual({ record: '1' });
});

test('nothing is written where there is no ledger, no right, or only reading', async ({ db }) => {
  const bare = await db.another();
  const client = await session(bare.url);
  expect(await recordProof(client, record(seen('traps')))).toEqual({
    why: 'the database has no ledger: nothing was applied to it',
  });
  expect(await proofs(client, { definition: 'shop' })).toEqual([]);
  expect(await bare.query(`SELECT FROM pg_namespace WHERE nspname = 'holdfast'`)).toEqual([]);

  const { db: own } = await ledger(db);
  const role = own.role('reader');
  await own.query(`CREATE ROLE ${role} LOGIN PASSWORD 'for-the-test-only'`);
  const reader = await session(own.urlAs(role, 'for-the-test-only'));
  expect(await recordProof(reader, record(seen('traps')))).toEqual({
    why: 'this role may not write the ledger',
  });
  await own.query(`DROP TABLE holdfast.proof; DELETE FROM holdfast.migration WHERE number = 3;
    GRANT USAGE ON SCHEMA holdfast TO ${role}; GRANT SELECT ON holdfast.migration TO ${role}`);
  expect(await recordProof(reader, record(seen('traps')))).toEqual({
    why: 'the ledger is of an earlier release, and this role may not change it',
  });
  await own.query(`DROP OWNED BY ${role}`);

  const { client: other } = await ledger(db);
  await other.query('SET default_transaction_read_only = on');
  expect(await recordProof(other, record(seen('traps')))).toEqual({ why: 'this server is only read' });
});

test('what it is run against has no secret in it, and changes with the structure', async ({ db }) => {
  const own = await db.another();
  const secret = new URL(own.url);
  secret.searchParams.set('options', '-c geheim.wort=geheim');
  const before = await standing(secret.href);
  expect(before).toEqual({
    target: expect.stringContaining(own.name) as string,
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    serverVersion: expect.stringMatching(/^1\d\.\d+$/) as string,
    release,
  });
  expect(JSON.stringify(before)).not.toContain('geheim');
  expect((await standing(own.url)).fingerprint).toBe(before.fingerprint);
  await own.query('CREATE TABLE t (id int)');
  expect((await standing(own.url)).fingerprint).not.toBe(before.fingerprint);
});

const line = (over: Partial<Boundary>): Trait => ({
  name: 'lines',
  proves: () => ({
    boundaries: [
      { name: 'tenant', setting: 'app.t', tables: [], shared: [], roles: [], spanning: [], ...over },
    ],
    accepted: [{ code: 'HT101', because: 'meant' }],
  }),
});

plain('values of one trait draw one line; what one calls shared is not where another owns it', () => {
  const empty = { name: 'none' } as unknown as Model;
  const found = collectProofs(empty, [
    line({
      tables: [{ of: of('a'), column: 'tenant_id' }],
      roles: ['app'],
      shared: [{ of: of('b'), because: 'x' }],
    }),
    line({
      tables: [
        { of: of('a'), column: 'tenant_id' },
        { of: of('b'), column: 'tenant_id' },
      ],
      roles: ['app', 'job'],
      shared: [{ of: of('c'), because: 'y' }],
    }),
    line({ setting: 'app.other' }),
    { name: 'silent' },
  ]);
  expect(found.boundaries).toEqual([
    {
      name: 'tenant',
      setting: 'app.t',
      tables: [
        { of: of('a'), column: 'tenant_id' },
        { of: of('b'), column: 'tenant_id' },
      ],
      shared: [{ of: of('c'), because: 'y' }],
      roles: ['app', 'job'],
      spanning: [],
    },
    { name: 'tenant', setting: 'app.other', tables: [], shared: [], roles: [], spanning: [] },
  ]);
  expect(found.accepted).toHaveLength(3);
});
