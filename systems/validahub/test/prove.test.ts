// What `holdfast prove` says of ValidaHub as it is installed: every object by every attack, with rows of two tenants in
// every table, and the traps of its catalogue.
import { expect } from 'vitest';
import { findTraps, isolationEvidence, proveIsolation } from 'holdfast/prove';
import { test } from './installed.ts';

test('no attack crosses from one tenant to another, and every table was attacked with rows in it', async ({
  db,
  installed,
}) => {
  const { boundaries, accepted } = installed.definition.proofs;
  const found = await proveIsolation({
    url: db.url,
    scratchUrl: db.url,
    boundaries,
    accepted,
    now: new Date(),
  });
  expect(found.crossings).toEqual([]);
  expect(found.empty).toEqual([]);
  expect(found.left).toEqual([]);
  const ofDatabase = found.told.filter(({ subject }) => !subject.startsWith('PostgreSQL'));
  expect(ofDatabase.filter(({ severity }) => severity !== 'info')).toEqual([]);
  const evidence = isolationEvidence(found);
  expect(evidence.verdict).toBe('held');
  expect(evidence.line).toMatch(/^\d,\d{3} attacks by 2 roles on \d+ objects: none crossed$/);
  expect(found.roles).toEqual([installed.roles.app, installed.roles.analytics]);
  const relations = await db.query<{ name: string }>(RELATIONS_SQL);
  expect(relations.length).toBeGreaterThan(20);
  expect(relations.map(({ name }) => name).filter((name) => !found.objects.includes(name))).toEqual([]);
  // Every object by every attack: each has its cell, and none of a table was left out for want of rows.
  expect(found.cells).toHaveLength(found.objects.length * found.attacks.length);
  const read = found.cells.filter(({ attack, object }) => attack === 'read' && object.includes('.'));
  const tables = relations.map(({ name }) => name);
  expect(read.filter(({ object, outcome }) => tables.includes(object) && outcome !== 'held')).toEqual([]);
}, 120_000);

const RELATIONS_SQL = `
  SELECT n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('validahub', 'archive')`;

test('no trap above information is found in it, whether its boundaries are told or guessed', async ({
  db,
  installed,
}) => {
  const { boundaries, accepted } = installed.definition.proofs;
  const roles = [installed.roles.app, installed.roles.analytics];
  for (const told of [
    { boundaries, accepted, roles },
    { accepted, roles },
  ]) {
    const { findings, unseen } = await findTraps({ url: db.url, now: new Date(), ...told });
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    expect(unseen).toEqual([]);
  }
});
