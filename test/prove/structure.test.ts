// The structure of a server next to its definition, as evidence.
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { apply, plan } from '../../src/build/index.ts';
import { database } from '../../src/define/index.ts';
import { type ProofProgress, proveStructure, structureEvidence } from '../../src/prove/index.ts';
import { test } from '../cluster/index.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const notes = pgTable('notes', { id: integer().primaryKey(), body: text().notNull() });
const definition = database('structure', { tables: { notes } });

test('held where the server is as defined; broken, with every difference, where it is not', async ({
  db,
}) => {
  const at = { definition, url: db.url, now: NOW };
  const before = structureEvidence(await proveStructure(at));
  expect(before).toMatchObject({
    proof: 'structure',
    verdict: 'broken',
    line: '1 difference between definition and server, first: table public.notes is in the definition and not on the server.',
    figures: { tables: 1, differences: 1, planned_steps: 0, as_last_applied: 'nothing was applied' },
  });
  await apply(await plan(definition, db.url, { now: NOW }), db.url);
  const told: ProofProgress[] = [];
  const held = structureEvidence(
    await proveStructure({ ...at, onProgress: (progress) => void told.push(progress) }),
  );
  expect(held).toEqual({
    proof: 'structure',
    verdict: 'held',
    line: '1 table and all beside them are as the definition says; a plan has nothing to do',
    figures: {
      tables: 1,
      views: 0,
      roles: 0,
      policies: 0,
      differences: 0,
      planned_steps: 0,
      as_last_applied: 'yes',
    },
    sections: [],
    durationMs: expect.any(Number) as number,
  });
  expect(told.map(({ doing }) => doing)).toContain('comparing');

  await db.query('ALTER TABLE notes ADD COLUMN extra int; CREATE TABLE by_hand (id int PRIMARY KEY)');
  const broken = structureEvidence(await proveStructure(at));
  expect(broken.verdict).toBe('broken');
  expect(broken.figures['as_last_applied']).toBe('no');
  expect(broken.sections).toEqual([
    {
      kind: 'table',
      title: 'What differs',
      columns: [{ name: 'object' }, { name: 'part' }, { name: 'how' }, { name: 'in words' }],
      rows: [
        {
          cells: [
            'table public.notes',
            'column extra',
            'not in the definition',
            'table public.notes, column extra is on the server and not in the definition.',
          ],
          verdict: 'broken',
        },
      ],
    },
    {
      kind: 'text',
      lines: ['`holdfast plan` shows what would bring the server to the definition, already rehearsed.'],
    },
    {
      kind: 'text',
      title: 'On the server beside the definition',
      lines: ['table public.by_hand is on the server and not in the definition: left alone.'],
    },
  ]);
});

test('what only a plan finds breaks it too', () => {
  const found = structureEvidence({
    definition,
    drift: { differences: [], notes: [], asApplied: true },
    steps: [
      {
        number: 1,
        sql: 'CREATE TABLE x ()',
        subject: 'table public.x',
        verb: 'create',
        lock: 'NONE',
        locks: [],
        work: 'catalogue',
        transactional: true,
        lockTimeoutMs: 0,
        loses: null,
        back: null,
      },
    ],
    durationMs: 1,
  });
  expect(found).toMatchObject({
    verdict: 'broken',
    line: 'a plan would still do 1 step, first: create table public.x',
  });
  expect(found.sections[0]).toMatchObject({
    title: 'What a plan would do',
    rows: [{ cells: [1, 'create table public.x', 'CREATE TABLE x ()'], verdict: 'broken' }],
  });
});
