// Schemas at random, the same for the same seed: tables that refer to each other in any direction, with keys and checks.

/** A row of numbers that looks random. */
export function randomly(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return (state >>> 8) % below;
  };
}

type Pick = (below: number) => number;

const TYPES = [
  'text',
  'int',
  'bigint',
  'numeric(8,2)',
  'uuid',
  'date',
  'timestamptz',
  'boolean',
  'jsonb',
  'varchar(9)',
  'int4range',
  'text[]',
  'inet',
  'mood',
];

const CHECKS: readonly ((column: string, pick: Pick) => string)[] = [
  (c, pick) => `${c} int NOT NULL CHECK (${c} BETWEEN ${pick(50)} AND ${60 + pick(9)})`,
  (c, pick) => `${c} text NOT NULL CHECK (${c} IN ('a${pick(9)}', 'b', 'c'))`,
  (c, pick) => `${c} text NOT NULL CHECK (${c} ~ '^[a-z]{${1 + pick(4)},9}-[0-9]+$')`,
  (c, pick) => `${c} varchar(20) CHECK (length(${c}) >= ${pick(15)})`,
  (c, pick) => `${c} int NOT NULL CHECK (${c} % ${2 + pick(6)} = 0)`,
  (c) => `${c}_from date NOT NULL, ${c}_to date CHECK (${c}_to >= ${c}_from + 7)`,
  (c) => `${c}_on boolean NOT NULL, ${c}_why text, CHECK (${c}_on = (${c}_why IS NULL))`,
  (c, pick) => `${c} numeric(6,3) NOT NULL DEFAULT ${pick(5)} CHECK (${c} >= 0 AND ${c} < ${1 + pick(50)})`,
  (c) => `${c} int NOT NULL, ${c}_more int NOT NULL CHECK (${c}_more > ${c})`,
];

/** Tables `t0`, `t1`, …: owned, referring to owned ones, or nobody's. Each of them can hold a row for each owner. */
export function randomSchema(seed: number): string {
  const pick = randomly(seed);
  const count = 3 + pick(6);
  const tables: Made[] = [];
  for (let at = 0; at < count; at += 1) tables.push(table(at, tables, pick));
  const later = tables.flatMap(({ name, key }) =>
    pick(3) > 0
      ? []
      : [
          `ALTER TABLE ${name} ADD later ${key.type} REFERENCES ${tables[pick(count)]?.name} ${deferred(pick)}`,
        ],
  );
  const sound = later.filter((sql) => {
    const [, to] = /REFERENCES (\w+)/.exec(sql) ?? [];
    const target = tables.find(({ name }) => name === to);
    return target !== undefined && !target.composite && sql.includes(` later ${target.key.type} `);
  });
  return [`CREATE TYPE mood AS ENUM ('glad', 'sad')`, ...tables.map(({ sql }) => sql), ...sound].join(';\n');
}

interface Made {
  readonly name: string;
  readonly sql: string;
  readonly key: { readonly type: string };
  /** Its key is (tenant_id, id). */
  readonly composite: boolean;
  readonly owned: boolean;
}

function deferred(pick: Pick): string {
  return ['', 'DEFERRABLE INITIALLY DEFERRED', 'DEFERRABLE'][pick(3)] ?? '';
}

function table(at: number, before: readonly Made[], pick: Pick): Made {
  const name = `t${at}`;
  const type = ['int', 'bigint', 'uuid', 'text'][pick(4)] ?? 'int';
  const owned = pick(4) > 0;
  const composite = owned && pick(3) === 0;
  const lines = [
    `id ${type} ${type === 'int' && pick(2) === 0 ? 'GENERATED ALWAYS AS IDENTITY' : 'NOT NULL'}`,
  ];
  if (owned) lines.push(`tenant_id uuid NOT NULL`);
  lines.push(`PRIMARY KEY (${composite ? 'tenant_id, id' : 'id'})`);
  // Nobody's rows may refer only to nobody's.
  const targets = before.filter((one) => owned || !one.owned);
  for (let turn = 0; targets.length > 0 && turn < pick(3); turn += 1) {
    const to = targets[pick(targets.length)] as Made;
    const column = `r${turn}`;
    lines.push(`${column} ${to.key.type} ${pick(2) === 0 ? 'NOT NULL' : ''}`);
    if (to.composite)
      lines.push(`FOREIGN KEY (tenant_id, ${column}) REFERENCES ${to.name} ${deferred(pick)}`);
    else lines.push(`FOREIGN KEY (${column}) REFERENCES ${to.name} ${deferred(pick)}`);
    if (pick(4) === 0) lines.push(`UNIQUE (${column}, id)`);
  }
  for (let turn = 0; turn < 1 + pick(4); turn += 1)
    lines.push(`p${turn} ${TYPES[pick(TYPES.length)] ?? 'text'} ${pick(2) === 0 ? 'NOT NULL' : ''}`);
  for (let turn = 0; turn < pick(4); turn += 1)
    lines.push(CHECKS[pick(CHECKS.length)]?.(`c${turn}`, pick) ?? '');
  if (pick(3) === 0)
    lines.push(`u ${['text', 'int', 'uuid', 'varchar(6)'][pick(4)] ?? 'text'} NOT NULL UNIQUE`);
  return { name, sql: `CREATE TABLE ${name} (${lines.join(', ')})`, key: { type }, composite, owned };
}
