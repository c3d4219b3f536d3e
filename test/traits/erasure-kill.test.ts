// An erasure is killed at any statement: before it is sent, while it runs, with the connection cut, and with its process
// killed. The next call goes on; then no byte of the subject is anywhere, and no row of anybody else has changed.
// HOLDFAST_KILLS=100 kills a hundred times each way.
import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { test, type TestDatabase } from '../cluster/index.ts';
import { random } from './archive-stand.ts';
import { deadly } from './erasure-deadly.ts';
import { erasing, leftOf, markOf, openHouse, othersSum, type Standing, TODAY } from './erasure-stand.ts';

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';
const KILLS = Number(process.env['HOLDFAST_KILLS'] ?? 3);
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 20_261_121);
const HOW = ['before', 'within', 'after'] as const;

async function erase(house: Standing, subject: string, at: Date): Promise<unknown> {
  return erasing(house, (context) => house.eraser.erase(context, { subject, basis: 'killed' }), at);
}

// A dead leader is taken over once it was silent for longer than its lease.
const later = (minutes: number): Date => new Date(TODAY.getTime() + minutes * 60_000);

/** Whoever was killed may hold its locks for a moment more. */
async function finished(house: Standing, subject: string, at: Date): Promise<void> {
  for (let attempts = 1; ; attempts += 1) {
    const done = await erase(house, subject, new Date(at.getTime() + attempts * 60_000)).then(
      () => true,
      (error: unknown) => {
        if (attempts === 5) throw error;
        return false;
      },
    );
    if (done) return;
    await house.db.query('SELECT pg_sleep(0.05)');
  }
}

test('killed at any statement', { timeout: 120_000 + KILLS * 10_000 }, async ({ db }) => {
  const house = await openHouse(db, 'house_killed', { seed: SEED, people: KILLS + 2 });
  const chance = random(SEED);
  const counter = deadly({});
  await erase(house, 'person:acmeco/1', later(1));
  const total = counter.statements();
  counter.disarm();
  let killed = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const subject = `person:acmeco/${kill + 1}`;
    const others = await othersSum(house, { tenant: 'acmeco', person: kill + 1 });
    const how = HOW[kill % HOW.length] ?? 'before';
    const at = 1 + Math.floor(chance() * total);
    const trap = deadly({ at, how });
    await erase(house, subject, later(kill * 20)).catch(() => (killed += 1));
    trap.disarm();
    await finished(house, subject, later(kill * 20 + 5)).catch((error: unknown) => {
      throw new Error(`killed ${how} statement ${at} of ${total}`, { cause: error });
    });
    expect({ how, at, left: await leftOf(house, markOf('acmeco', kill + 1)) }).toEqual({ how, at, left: [] });
    expect(await othersSum(house, { tenant: 'acmeco', person: kill + 1 })).toBe(others);
  }
  expect(killed).toBeGreaterThan(0);
});

/** Runs the child until it kills itself, or for `killAfterMs`. */
async function child(of: {
  readonly db: TestDatabase;
  readonly house: Standing;
  readonly subject: string;
  readonly now: Date;
  readonly at: number;
  readonly how: string;
  readonly killAfterMs?: number;
}): Promise<string> {
  const { house, subject, now, at, how, killAfterMs } = of;
  const args = [
    house.db.url,
    house.name,
    house.root,
    house.role,
    subject,
    now.toISOString(),
    String(at),
    how,
  ];
  const run = spawn(process.execPath, [JITI, 'test/traits/erasure-child.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  await new Promise<void>((resolve) => {
    run.on('exit', () => resolve());
    run.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (killAfterMs !== undefined && said.includes('begins'))
        setTimeout(() => run.kill('SIGKILL'), killAfterMs);
    });
  });
  return said.trim().split('\n').at(-1) ?? '';
}

test(
  'its process killed, at a statement or at any moment: a tenant',
  { timeout: 120_000 + KILLS * 20_000 },
  async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_gone', { seed: SEED + 1, people: 3 });
    const chance = random(SEED + 2);
    const others = await othersSum(house, { tenant: 'acmeco' });
    const kills = Math.ceil(KILLS / 2);
    for (let kill = 1; kill <= kills; kill += 1) {
      const byTime = kill % 2 === 0;
      const how = byTime ? 'at a time' : kill % 4 === 1 ? 'before' : 'within';
      const said = await child({
        db,
        house,
        subject: 'tenant:acmeco',
        now: later(kill * 20),
        at: byTime ? 0 : 60 + Math.floor(chance() * 200),
        how,
        ...(byTime && { killAfterMs: 50 + chance() * 1_500 }),
      });
      expect(said).toMatch(/^begins$|^finished \d+$/);
    }
    await finished(house, 'tenant:acmeco', later(kills * 20 + 60));
    expect(await leftOf(house, 'acmeco')).toEqual([]);
    expect(await othersSum(house, { tenant: 'acmeco' })).toBe(others);
  },
);
