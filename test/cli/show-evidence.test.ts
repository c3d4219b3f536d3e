// What proofs print at a terminal: what matters first, everything on demand, nothing that moves the cursor.
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { showProofs } from '../../src/cli/show-evidence.ts';
import type { Evidence, Section } from '../../src/prove/index.ts';

function shown(sections: readonly Section[], options: { all?: boolean; colour?: boolean } = {}): string {
  let out = '';
  const into = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      out += chunk.toString();
      done();
    },
  });
  const evidence: Evidence = {
    proof: 'isolation',
    verdict: 'broken',
    line: 'crossed\u001B[2J',
    figures: {},
    sections,
    durationMs: 12_345,
  };
  const at = new Date('2026-11-21T12:00:00Z');
  const record = {
    definition: 'shop',
    target: 'postgres://app@db/shop',
    fingerprint: 'ab'.repeat(32),
    serverVersion: '18.4',
    release: '0.1.0',
    startedAt: at,
    finishedAt: at,
  };
  const records = [
    { ...record, evidence },
    { ...record, evidence: { ...evidence, proof: 'traps', verdict: 'held' as const, sections: [] } },
  ];
  const terminal = { out: into, err: into, colour: options.colour ?? false, now: () => 0 };
  showProofs(
    terminal,
    { records, notes: ['a note'] },
    { all: options.all ?? false, said: ['page written to p.html'] },
  );
  return out;
}

/** What stands between the verdicts and the last lines. */
function body(sections: readonly Section[], options: { all?: boolean } = {}): string {
  const out = shown(sections, options);
  return out.slice(out.indexOf('\nisolation\n') + 11, out.indexOf('\na note\n'));
}

test('verdicts first, one line over all at the end', () => {
  expect(shown([])).toBe(`database    postgres://app@db/shop
definition  shop
structure   abababababab
server      PostgreSQL 18.4
run at      2026-11-21T12:00

isolation  BROKEN  crossed⟨U+001B⟩[2J (12.3 s)
traps      HELD    crossed⟨U+001B⟩[2J (12.3 s)

a note
page written to p.html
broken: isolation; held: traps (24.7 s)
`);
  expect(shown([], { colour: true })).toContain('\u001B[31mBROKEN\u001B[39m');
});

test('a matrix tells what was crossed and counts the rest; --all names every object', () => {
  const matrix: Section = {
    kind: 'matrix',
    title: 'Objects by attacks',
    columns: ['read', 'write', 'lock'],
    rows: [
      { name: 'table a', cells: ['held', 'held', 'none'] },
      { name: 'table b\u202E', cells: ['crossed', 'held', 'told'] },
    ],
  };
  expect(body([matrix])).toBe(`
  Objects by attacks
    2 objects by 3 attacks: 3 held, 1 crossed, 1 told, 1 do not apply
    table b⟨U+202E⟩
      CROSSED: read
      told: lock
      held against 1
    1 object: nothing crossed; --all names them
`);
  expect(body([matrix], { all: true })).toContain('    table a\n      held against 2\n');
});

test('a table that fits is a table, numbers to the right; one that does not is rows with what they say', () => {
  const columns = [{ name: 'budget' }, { name: 'p95', unit: 'ms' }, { name: 'note' }];
  expect(
    body([
      {
        kind: 'table',
        title: 'Budgets',
        columns,
        rows: [
          { cells: ['look-up', 0.8104, null], verdict: 'held' },
          { cells: ['report', 1_234.5, 'two\nlines'], verdict: 'broken' },
        ],
      },
    ]),
  ).toBe(`
  Budgets
            budget   p95 (ms)  note
    held    look-up      0.81
    broken  report    1,234.5  two ⏎ lines
`);
  const wide = body([
    { kind: 'table', title: 'Wide', columns, rows: [{ cells: ['look-up', 1, 'word '.repeat(40).trim()] }] },
  ]);
  expect(wide).toBe(`
  Wide
    budget   p95 (ms)
    look-up         1
        note: ${'word '.repeat(21).trim()}
          ${'word '.repeat(19).trim()}
`);
});

test('of many rows, lines and statements a few are printed, and how many there are', () => {
  const rows = Array.from({ length: 40 }, (_, at) => ({ cells: [`row ${at}`] }));
  const lines = Array.from({ length: 15 }, (_, at) => `line ${at}`);
  const statements = Array.from({ length: 14 }, (_, at): Section => ({
    kind: 'statement',
    title: at < 4 ? `table x: way ${at}` : `table ${at}: way`,
    sql: `SELECT ${at};\n-- "two\u0007"`,
    said: 'row',
  }));
  const sections: Section[] = [
    { kind: 'table', title: 'Rows', columns: [{ name: 'name' }], rows },
    { kind: 'text', lines },
    ...statements,
  ];
  const some = body(sections);
  expect(some).toContain('row 29');
  expect(some).not.toContain('row 30');
  expect(some).toContain('    and 10 rows more: --all shows them\n');
  expect(some).toContain('  and 3 lines more: --all shows them\n');
  expect(some).toContain('\n  table x: way 1\n      SELECT 1;\n      -- "two⟨U+0007⟩"\n    -- row\n');
  expect(some).not.toContain('way 2');
  expect(some).toContain('SELECT 11;');
  expect(some).not.toContain('SELECT 12;');
  expect(some).toContain('\n  and 4 statements more: --all shows them\n');
  const all = body(sections, { all: true });
  for (const part of ['row 39', 'line 14', 'way 3', 'SELECT 13;']) expect(all).toContain(part);
  expect(all).not.toContain('more: --all');
});

test('what is said of several things alike is said once, with their names', () => {
  const rows = Array.from({ length: 9 }, (_, at) => ({
    cells: ['warning', `table t${at}`, `t${at} is open`],
    alike: { kind: 'open', name: `table t${at}` },
  }));
  const table: Section = {
    kind: 'table',
    title: 'Found',
    columns: [{ name: 'severity' }, { name: 'object' }, { name: 'what' }],
    rows: [...rows, { cells: ['info', 'view v', 'v is old'] }],
  };
  expect(body([table])).toBe(`
  Found
    warning  table t0  t0 is open
        and 8 alike: table t1, table t2, table t3, table t4, table t5, table t6 and 2 more
    info     view v    v is old
`);
  expect(body([table], { all: true })).toContain('table t8  t8 is open');
  const matrix: Section = {
    kind: 'matrix',
    title: 'Objects by attacks',
    columns: ['read', 'update'],
    rows: [
      { name: 'table a', cells: ['crossed', 'held'] },
      { name: 'table b', cells: ['crossed', 'crossed'] },
      { name: 'table c', cells: ['crossed', 'told'] },
    ],
  };
  expect(body([matrix])).toContain('\n    table a, table c\n      CROSSED: read\n    table b\n');
});

test('a distribution is its percentiles and its budget; --all draws it', () => {
  const latency: Section = {
    kind: 'latency',
    title: 'look-up',
    classes: [
      { upToMs: 1, count: 4_000 },
      { upToMs: 2, count: 1 },
    ],
    p50Ms: 0.5,
    p95Ms: 0.9,
    p99Ms: 1.75,
    budget: { percentile: 'p95', ms: 1 },
  };
  expect(body([latency])).toBe('\n  look-up\n    p50 0.5 ms, p95 0.9 ms, p99 1.75 ms; budget: p95 1 ms\n');
  expect(body([latency], { all: true })).toContain(
    `    up to 1 ms  4,000  ${'#'.repeat(40)}\n    up to 2 ms  1      #\n`,
  );
});
