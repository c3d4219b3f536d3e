// ValidaHub under attack: every object by every attack, nothing crosses.
import { expect } from 'vitest';
import { collectProofs } from '../../src/define/index.ts';
import { isolationEvidence, proveIsolation } from '../../src/prove/isolation/index.ts';
import { defineValidahub } from '../../systems/validahub/define.ts';
import { test } from '../cluster/index.ts';
import { stand } from '../traits/stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

test('ValidaHub holds against every attack', async ({ db }) => {
  const roles = {
    app: db.role('app'),
    analytics: db.role('analytics'),
    admin: db.role('admin'),
    system: db.role('system'),
    owner: db.role('owner'),
  };
  const definition = defineValidahub(roles);
  await stand(db, definition, NOW);
  const { boundaries, accepted } = collectProofs(definition.model, definition.traits);
  const found = await proveIsolation({ url: db.url, scratchUrl: db.url, boundaries, accepted, now: NOW });
  expect(found.crossings).toEqual([]);
  expect(found.empty).toEqual([]);
  expect(found.left).toEqual([]);
  expect(found.cells).toHaveLength(found.objects.length * found.attacks.length);
  const ofDatabase = found.told.filter(({ subject }) => !subject.startsWith('PostgreSQL'));
  expect(ofDatabase.filter(({ severity }) => severity !== 'info')).toEqual([]);
  const evidence = isolationEvidence(found);
  expect(evidence.verdict).toBe('held');
  expect(evidence.line).toMatch(/^\d,\d{3} attacks by 2 roles on \d+ objects: none crossed$/);
});
