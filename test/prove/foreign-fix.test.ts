// The mends that take rights in a database that Holdfast did not build are planned there and back, though its default
// privileges grant the same.
import { expect } from 'vitest';
import { apply, fingerprint, rollback } from '../../src/build/index.ts';
import { findTraps, planFixes } from '../../src/prove/traps/index.ts';
import { test } from '../cluster/index.ts';
import { buildForeign, noDocument } from './foreign/document.ts';

const NOW = new Date('2026-03-15T12:00:00Z');

test('rights are taken from an application and given back', { timeout: 180_000 }, async ({ db, skip }) => {
  skip(noDocument !== undefined, noDocument);
  const role = db.role('app');
  await buildForeign(db, { role });
  const { findings } = await findTraps({ url: db.url, roles: [role], now: NOW });
  const taking = findings.filter(
    ({ mend }) => mend.length > 0 && mend.every((sql) => sql.includes('REVOKE ')),
  );
  expect(taking.length).toBeGreaterThan(0);
  const was = await fingerprint(db.pool);
  const plan = await planFixes(
    db.url,
    { findings: taking },
    { now: NOW, severities: ['error', 'warning', 'info'] },
  );
  expect(plan.notes.filter((note) => note.includes('not in the plan'))).toEqual([]);
  expect(plan.steps.every(({ sql }) => sql.includes('REVOKE '))).toBe(true);
  expect(plan).toMatchObject({ reversible: true, rehearsal: { forward: 'equal', back: 'equal' } });
  expect((await apply(plan, db.url)).endsAsPlanned).toBe(true);
  await rollback(db.url, { to: 'previous' });
  expect(await fingerprint(db.pool)).toBe(was);
});
