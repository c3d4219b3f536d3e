// ValidaHub under attack: every object by every attack, nothing crosses.
import { expect } from 'vitest';
import { collectProofs } from '../../src/define/index.ts';
import { isolationEvidence, proveIsolation } from '../../src/prove/isolation/index.ts';
import { defineValidahub } from '../../systems/validahub/define.ts';
import { test } from '../cluster/index.ts';
import { stand } from '../traits/stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

test('ValidaHub holds against every attack', async ({ db }) => {
  const definition = defineValidahub({
    app: db.role('app'),
    analytics: db.role('analytics'),
    admin: db.role('admin'),
    system: db.role('system'),
    owner: db.role('owner'),
  });
  await stand(db, definition, NOW);
  const { boundaries, accepted } = collectProofs(definition.model, definition.traits);
  const found = await proveIsolation({ url: db.url, scratchUrl: db.url, boundaries, accepted, now: NOW });
  console.log(
    isolationEvidence(found).line,
    isolationEvidence(found).figures,
    found.durationMs,
    found.empty,
    found.left,
    found.notes.length,
    found.told.map((t) => `${t.severity} ${t.subject}: ${t.what}`),
  );
  console.log(JSON.stringify(found.crossings, null, 1));
  expect(found.crossings).toEqual([]);
});
