// Every hole of the corpus really crosses and every near miss really does not, shown by hand on this server: by plain
// statements of a role that really logs in, with nothing of ours in between.
import { describe, expect } from 'vitest';
import { test } from '../../cluster/index.ts';
import { readCases } from './case.ts';
import { onStage, runProof } from './stage.ts';

const holes = readCases(new URL('./holes', import.meta.url));
const nearMisses = readCases(new URL('./near-misses', import.meta.url));

const majorOf = async (query: (sql: string) => Promise<{ major?: string }[]>): Promise<number> =>
  Number(
    (await query("SELECT pg_catalog.current_setting('server_version_num')::int / 10000 AS major"))[0]?.major,
  );

describe.each([
  { kind: 'hole', cases: holes, atLeast: 40 },
  { kind: 'near miss', cases: nearMisses, atLeast: 15 },
])('$kind', ({ kind, cases, atLeast }) => {
  test('there are enough of them, each in its folder', () => {
    expect(cases.filter((one) => one.kind === kind && one.from === 15).length).toBeGreaterThanOrEqual(
      atLeast,
    );
    expect(cases.filter((one) => one.kind !== kind).map(({ name }) => name)).toEqual([]);
  });

  for (const one of cases) {
    test(`${one.name}: ${one.title}`, async ({ db, skip }) => {
      const major = await majorOf((sql) => db.query(sql));
      if (major < one.from) skip(`PostgreSQL ${major} cannot build it: it needs ${one.from}`);
      const said = await onStage(db, one, (on) => runProof(on, one.proof));
      expect(said.map(({ sql, said }) => ({ sql, said }))).toEqual(
        said.map(({ sql, claimed }) => ({ sql, said: claimed })),
      );
      expect(said.length).toBeGreaterThan(0);
    });
  }
});
