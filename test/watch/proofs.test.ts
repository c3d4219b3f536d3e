// How proofs ended the last time, as metrics and as lines of `holdfast status`.
import { expect } from 'vitest';
import { card, collect } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { NOW, watched, withLedger } from './stage.ts';

test('the newest run of each proof of this definition is measured and shown; a broken one is late', async ({
  db,
}) => {
  const own = await db.another();
  const definition = watched();
  const about = async (): Promise<readonly unknown[]> => {
    const { samples, notes } = await collect(definition, own.url, { now: NOW });
    expect(notes).toEqual([]);
    return samples
      .filter(({ metric }) => metric.startsWith('holdfast_proof'))
      .map(({ metric, labels, value }) => [
        metric.slice('holdfast_proof_'.length),
        ...Object.values(labels),
        value,
      ]);
  };
  expect(await about()).toEqual([]);
  await withLedger(own);
  expect(await about()).toEqual([]);
  await own.query(
    `INSERT INTO holdfast.proof (definition, proof, verdict, line, figures, evidence, fingerprint, server_version,
       target, release, started_at, finished_at, by_host)
     SELECT d, p, v, '', '{}', '{}', '', '', '', '', t::timestamptz, t::timestamptz, '' FROM (VALUES
       ('shop', 'isolation', 'held', '2026-11-18T12:00:00Z'), ('shop', 'isolation', 'broken', '2026-11-21T11:00:00Z'),
       ('shop', 'traps', 'broken', '2026-11-18T12:00:00Z'), ('shop', 'traps', 'not shown', '2026-11-19T11:00:00Z'),
       ('other', 'structure', 'broken', '2026-11-19T12:00:00Z')) AS r (d, p, v, t)`,
  );
  expect(await about()).toEqual([
    ['verdict', 'isolation', 'held', 0],
    ['verdict', 'isolation', 'broken', 1],
    ['verdict', 'isolation', 'noisy', 0],
    ['verdict', 'isolation', 'not_shown', 0],
    ['age_seconds', 'isolation', 3_600],
    ['verdict', 'traps', 'held', 0],
    ['verdict', 'traps', 'broken', 0],
    ['verdict', 'traps', 'noisy', 0],
    ['verdict', 'traps', 'not_shown', 1],
    ['age_seconds', 'traps', 176_400],
  ]);
  const lines = card(await collect(definition, own.url, { now: NOW })).filter(
    ({ topic }) => topic === 'proofs',
  );
  expect(lines).toEqual([
    {
      topic: 'proofs',
      subject: 'isolation',
      text: 'broken 1 hour ago; holdfast prove --last shows it',
      late: true,
    },
    { topic: 'proofs', subject: 'traps', text: 'not shown 2 days ago', late: false },
  ]);
});
