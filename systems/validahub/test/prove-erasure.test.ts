// What `holdfast prove erasure` says of ValidaHub.
import { expect } from 'vitest';
import { proveRemoval, removalEvidence } from 'holdfast/prove';
import { test } from './installed.ts';

test('a person and a tenant of ValidaHub are forgotten, wherever rows of them lie', async ({
  db,
  installed,
}) => {
  const removed = await proveRemoval({
    definition: installed.definition,
    serverUrl: db.url,
    now: new Date(),
    proof: 'erasure',
    stops: 1,
  });
  const evidence = removalEvidence(removed);
  expect({ verdict: evidence.verdict, faults: removed.trials.flatMap((trial) => trial.faults) }).toEqual({
    verdict: 'held',
    faults: [],
  });
  expect(evidence.line).toBe(
    'a person and a tenant erased 8 times from 14 relations, 2 of them archived: nothing found after, no other row changed',
  );
  expect(removed.lived.archived).toEqual(['validahub.correction_logs', 'validahub.suggestions']);
  // Something of everybody stood in every table that the erasure speaks of, and the search saw it before.
  for (const trial of removed.trials)
    for (const change of trial.changes.filter(
      ({ deleted, changed, moves }) => !moves && deleted + changed > 0,
    )) {
      const name = change.place.replace(/^(archive )?table /, '');
      const cells = trial.before.filter((place) => place.kind === 'table' && place.name === name);
      expect({ place: change.place, cells: cells.length > 0 }).toEqual({ place: change.place, cells: true });
    }
}, 120_000);
