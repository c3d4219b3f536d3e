// The page: whole in itself, and nothing that a database is called can change what it is.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Evidence, page, type ProofRecord, visible, visibleLines } from '../../src/prove/index.ts';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</code></pre></style></title><iframe src="https://evil.example/">',
  '&lt;b&gt; &amp; ]]> --> <!-- ${1}',
  'שלום \u202Egnp.exe\u2066 \u200B\uFEFF',
  'zero\0 bell\u0007 escape\u001B[2J half \uD800',
  'two\nlines\tand\r\nmore',
] as const;

function record(evidence: Partial<Evidence>, over: Partial<ProofRecord> = {}): ProofRecord {
  return {
    definition: 'shop',
    target: 'postgres://app@db.example.net:5432/shop',
    fingerprint: 'ab'.repeat(32),
    serverVersion: '18.4',
    release: '0.1.0',
    startedAt: new Date('2026-11-21T12:00:00Z'),
    finishedAt: new Date('2026-11-21T12:01:30Z'),
    evidence: {
      proof: 'isolation',
      verdict: 'held',
      line: '12 attacks: none crossed',
      figures: { attacks: 12 },
      sections: [],
      durationMs: 1_500,
      ...evidence,
    },
    ...over,
  };
}

function everywhere(text: string): ProofRecord {
  const evidence: Partial<Evidence> = {
    proof: text,
    verdict: 'broken',
    line: text,
    figures: { [text]: text },
    sections: [
      { kind: 'text', title: text, lines: [text] },
      {
        kind: 'table',
        title: text,
        columns: [{ name: text, unit: text }, { name: 'b' }, { name: 'c' }],
        rows: [{ cells: [text, 1, null], verdict: 'broken' }],
      },
      {
        kind: 'matrix',
        title: text,
        columns: [text],
        rows: [{ name: text, cells: ['crossed'] }],
      },
      {
        kind: 'latency',
        title: text,
        classes: [{ upToMs: 1, count: 2 }],
        p50Ms: 1,
        p95Ms: 1,
        p99Ms: 1,
        budget: { percentile: 'p95', ms: 2 },
      },
      { kind: 'statement', title: text, sql: text, said: text },
    ],
  };
  const own = { definition: text, target: text, fingerprint: text, serverVersion: text, release: text };
  return record(evidence, { ...own, record: text });
}

const odd = (classes: readonly { upToMs: number; count: number }[], ms: number): string =>
  page({
    proofs: [
      record({ sections: [{ kind: 'latency', title: 'x', classes, p50Ms: ms, p95Ms: ms, p99Ms: ms }] }),
    ],
    again: 'x',
  });

/** Without what an editor's line breaks leave between attributes. */
const tidy = (html: string): string => html.replaceAll(/\s+/g, ' ').replaceAll(' >', '>');

/** A page that says one text wherever it can; where a name may be broken is no matter. */
const pageOf = (one: string): string =>
  page({ proofs: [everywhere(one)], again: one, notes: [one] }).replaceAll('<wbr>', '');

/** Every tag and attribute name of a page, so that what a text added would show. */
function skeleton(html: string): {
  readonly tags: readonly string[];
  readonly attributes: readonly string[];
} {
  const tags = new Set<string>();
  const attributes = new Set<string>();
  const whole = html.replace(/<style>[^<]*<\/style>/, '<style></style>');
  for (const [, tag = '', rest = ''] of whole.matchAll(
    /<([a-z!/][^\s>]*)((?:\s+[^\s"'=<>]+(?:="[^"]*")?)*)\s*\/?>/gi,
  )) {
    tags.add(tag.replace('/', '').toLowerCase());
    for (const [, name = ''] of rest.matchAll(/([^\s"'=<>]+)(?:="[^"]*")?/g)) attributes.add(name);
  }
  return { tags: [...tags].toSorted(), attributes: [...attributes].toSorted() };
}

describe('a page', () => {
  test.each(HOSTILE)('is made of the same tags whatever an object is called: %j', (text) => {
    const [plain, hostile] = [pageOf('plain'), pageOf(text)];
    expect(skeleton(hostile)).toEqual(skeleton(plain));
    expect(hostile.split('<').length).toBe(plain.split('<').length);
    expect(hostile.split('>').length).toBe(plain.split('>').length);
    // None is left of what cannot be seen: showing it again would change nothing.
    expect(hostile).toBe(visibleLines(hostile));
  });

  test('loads nothing and runs nothing: its policy allows its own style alone', () => {
    const html = page({ proofs: [everywhere('x')], again: 'holdfast prove' });
    const style = /<style>([^<]*)<\/style>/.exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(style).toContain('prefers-color-scheme:dark');
    expect(style).toContain('@media print');
    expect(style).not.toMatch(/url\(|@import/);
    expect(html).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`,
    );
    expect(html).not.toMatch(/<(script|link|img|iframe|object|embed|form|base)\b/i);
    expect(html).not.toMatch(/\s(style|src|srcset|on[a-z]+)=/i);
    expect([...html.matchAll(/href="([^"]*)"/g)].every(([, to]) => to?.startsWith('#') === true)).toBe(true);
  });

  test('says the verdicts first, then what was proved on what, and how to see it again', () => {
    const html = page({
      proofs: [record({}), record({ proof: 'traps', verdict: 'broken', line: '3 errors' }, { record: '17' })],
      again: "holdfast prove --url 'postgres://app@db.example.net:5432/shop'",
      notes: ['Not recorded: this server is only read.'],
    });
    const text = html
      .slice(html.indexOf('<body>'))
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ');
    const order = [
      'shop broken broken: traps; held: isolation',
      'postgres://app@db.example.net:5432/shop',
      `SHA-256 ${'ab'.repeat(32)}`,
      'PostgreSQL 18.4',
      '2026-11-21 12:00:00 UTC to 2026-11-21 12:01:30 UTC',
      'Verdicts',
      'isolation held 12 attacks: none crossed 1.5 2026-11-21 12:00:00 UTC',
      'traps broken 3 errors 1.5 2026-11-21 12:00:00 UTC 17',
      'attacks 12',
      'How to read this, and how to see it again',
      'Not recorded: this server is only read.',
      'holdfast prove --url &#39;postgres://app@db.example.net:5432/shop&#39;',
      'Made by Holdfast 0.1.0',
    ];
    let from = -1;
    for (const part of order) {
      const at = text.indexOf(part, from + 1);
      expect(at, part).toBeGreaterThan(from);
      from = at;
    }
  });

  test('a matrix says in words and marks what it says in colour', () => {
    const html = tidy(
      page({
        proofs: [
          record({
            sections: [
              {
                kind: 'matrix',
                title: 'Objects by attacks',
                columns: ['read', 'write', 'lock', 'copy'],
                rows: [{ name: 'table shop.orders', cells: ['held', 'crossed', 'told', 'none'] }],
              },
            ],
          }),
        ],
        again: 'holdfast prove',
      }),
    );
    expect(html).toContain('<td class="h">✓</td>');
    expect(html).toContain('<td class="x" title="table shop.orders, write: crossed">✗</td>');
    expect(html).toContain('<td class="t" title="table shop.orders, lock: told">!</td>');
    expect(html).toContain('<td class="o">·</td>');
    for (const word of [
      'held (1)',
      'crossed (1)',
      'told: not crossed, but worth knowing (1)',
      'does not apply',
    ])
      expect(html).toContain(word);
    expect(html).toContain('<th scope="col"><span>read</span></th>');
    expect(html).toContain('<th scope="row"');
  });

  test('a distribution is drawn with its budget, and told in words', () => {
    const latency = {
      kind: 'latency',
      title: 'rule lookup',
      classes: [
        { upToMs: 0.5, count: 900 },
        { upToMs: 1, count: 90 },
        { upToMs: 2, count: 0 },
        { upToMs: 4, count: 10 },
      ],
      p50Ms: 0.4,
      p95Ms: 0.9,
      p99Ms: 3.1,
    } as const;
    const drawn = (budget?: { readonly percentile: 'p95'; readonly ms: number }): string =>
      page({
        proofs: [record({ sections: [{ ...latency, ...(budget !== undefined && { budget }) }] })],
        again: 'x',
      });
    const html = tidy(drawn({ percentile: 'p95', ms: 1 }));
    expect(html).toContain(
      'aria-label="rule lookup: half within 0.4 ms, 95 of 100 within 0.9 ms, 99 of 100 within 3.1 ms. The budget is 1 ms for p95."',
    );
    expect(html.match(/<rect class="bar"/g)).toHaveLength(2);
    expect(html.match(/<rect class="over"/g)).toHaveLength(1);
    expect(html).toContain('budget: p95 within 1 ms</text>');
    expect(html).not.toContain('NaN');
    expect(drawn()).not.toContain('class="limit"');
  });

  test('figures that make no picture are still a page', () => {
    for (const html of [
      odd([], 0),
      odd([{ upToMs: 0, count: 0 }], 0),
      odd([{ upToMs: 1e9, count: 1 }], 1e-9),
      odd([{ upToMs: Number.POSITIVE_INFINITY, count: 4 }], 2),
    ])
      expect(html).not.toMatch(/(NaN|Infinity)"/);
    expect(page({ proofs: [], again: 'x' })).toContain('not shown');
  });

  test('a megabyte of text and many thousand cells make a page in little time', () => {
    const columns = Array.from({ length: 60 }, (_, at) => `attack ${at}`);
    const rows = Array.from({ length: 1_000 }, (_, at) => ({
      name: `table t${at}`,
      cells: columns.map(() => 'held' as const),
    }));
    const long = 'x<'.repeat(500_000);
    const html = page({
      proofs: [
        record({
          sections: [
            { kind: 'text', lines: [long] },
            { kind: 'matrix', title: 'm', columns, rows },
          ],
        }),
      ],
      again: 'x',
    });
    expect(html).toContain('x&lt;'.repeat(500_000));
    expect(html.split('<td class="h">').length).toBe(60_001);
    expect(html.length).toBeLessThan(4_500_000);
  });
});

test('what cannot be seen is shown', () => {
  expect(visible('a\u202Eb\u001B[31mc\nd\te')).toBe('a⟨U+202E⟩b⟨U+001B⟩[31mc ⏎ d e');
  expect(visibleLines('SELECT\r\n\t1;\u0000')).toBe('SELECT\n\t1;⟨U+0000⟩');
  expect(visible('café עברית 👩‍🔬')).toBe('café עברית 👩‍🔬');
});
