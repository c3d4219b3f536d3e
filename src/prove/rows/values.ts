// Values of a type, as the texts PostgreSQL reads: several for each, the plainest first. Which of them a table takes,
// PostgreSQL says.
import type { Column, Type } from './catalogue.ts';
import { hashOf, uuidOf, wordOf } from './random.ts';

/** Whose value it is, and which of that owner's. */
export interface Place {
  readonly seed: number;
  /** 0 for rows that are nobody's. */
  readonly world: number;
  /** Stands in every text that has room for it. */
  readonly marker: string;
  readonly table: string;
  /** From 0, within the world and the table. */
  readonly row: number;
  /** Raised when a value was refused as not unique. */
  readonly turn: number;
  /** Instants lie shortly before this, in the windows that views of recent rows look through. */
  readonly now: Date;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const ROWS_APART = 1_000;
const LENGTH_BESIDE_MODIFIER = 4;

type Make = (at: Place, column: Pick<Column, 'name' | 'modifier'>) => readonly string[];

/**
 * Values for a column.
 * @param column its type and name: a name suggests a form (`email`, `url`)
 * @param types every type of the database
 * @returns texts in order of preference; none for a type of which nothing is known but that it may be empty
 */
export function valuesOf(column: Column, at: Place, types: ReadonlyMap<number, Type>): readonly string[] {
  return valuesOfType({ type: column.type, modifier: column.modifier, name: column.name }, at, types);
}

interface Wanted {
  readonly type: number;
  readonly modifier: number;
  readonly name: string;
}

function valuesOfType(wanted: Wanted, at: Place, types: ReadonlyMap<number, Type>): readonly string[] {
  const type = types.get(wanted.type);
  if (type === undefined) return [''];
  if (type.kind === 'd') {
    const modifier = type.modifier === -1 ? wanted.modifier : type.modifier;
    return valuesOfType({ ...wanted, type: type.inner, modifier }, at, types);
  }
  if (type.kind === 'e') return rotated(type.labels, at.row + at.turn);
  if (type.kind === 'r') return ranges(wanted, at, { types, inner: type.inner });
  if (type.kind === 'm') {
    return [...valuesOfType({ ...wanted, type: type.inner }, at, types).map((range) => `{${range}}`), '{}'];
  }
  if (type.kind === 'c') return [composite(type, at, types)];
  if (type.category === 'A') return arrays({ ...wanted, type: type.inner }, at, types);
  return (MAKERS[type.name] ?? unknown)(at, wanted);
}

/** A number no other row of the database has from this. */
export function numberOf(at: Place): number {
  return at.world * ROWS_APART * 10 + (hashOf(at.seed, at.table) % 90) * 100 + at.row + at.turn * 7 + 1;
}

function rotated<T>(values: readonly T[], by: number): readonly T[] {
  const from = values.length === 0 ? 0 : by % values.length;
  return [...values.slice(from), ...values.slice(0, from)];
}

const texts: Make = (at, { name, modifier }) => {
  const room = modifier < LENGTH_BESIDE_MODIFIER ? 10_000 : modifier - LENGTH_BESIDE_MODIFIER;
  const mark = `${at.marker}-${at.row + at.turn * 10 + 1}`;
  const plain = `${mark}-${slug(name)}`;
  const short = wordOf(Math.min(room, 8), at.seed, at.table, name, at.world, at.row, at.turn);
  const number = String(numberOf(at));
  const hex = uuidOf(at.seed, at.table, name, at.world, at.row, at.turn);
  const forms = [
    ...formsByName(name, mark, at),
    plain,
    mark,
    mark.replaceAll('-', '_'),
    mark.replaceAll('-', ''),
    short,
    short.slice(0, 2),
    short.slice(0, 3),
    letters(short).slice(0, 2).toUpperCase(),
    letters(short).slice(0, 3).toUpperCase(),
    letters(short).toUpperCase(),
    number,
    `${mark}@example.test`,
    `https://example.test/${mark}`,
    hex,
    hex.replaceAll('-', '').repeat(2),
    `${mark} `.repeat(20).trim(),
    `+55${number.padStart(9, '9')}`,
    `1.0.${number}`,
    '#a1b2c3',
    '{}',
    'a',
    'A',
    '0',
    '1',
    '',
  ];
  return [...new Set(forms.map((form) => (form.length > room ? cut(form, room, short) : form)))];
};

/** Cut short, a text loses what tells it from others; so a word of its own takes the place. */
function cut(form: string, room: number, short: string): string {
  return form.startsWith('w')
    ? `${form.slice(0, Math.max(0, room - 3))}${short}`.slice(0, room)
    : form.slice(0, room);
}

function letters(word: string): string {
  return word.replaceAll(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? 'a');
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

function formsByName(name: string, mark: string, at: Place): readonly string[] {
  if (/mail/i.test(name)) return [`${mark}@example.test`];
  if (/url|uri|link|website|avatar/i.test(name)) return [`https://example.test/${mark}`];
  if (/zone/i.test(name)) return ['UTC'];
  if (/currency/i.test(name)) return ['EUR'];
  if (/(^|_)hash|checksum|digest|sha256/i.test(name)) {
    return [uuidOf(at.seed, at.table, name, at.world, at.row, at.turn).replaceAll('-', '').repeat(2)];
  }
  return [];
}

const integers =
  (most: number): Make =>
  (at) => {
    const number = numberOf(at) % most;
    return [String(number), ...rotated(['1', '2', '3'], at.row + at.turn), '0', '10', '50', '100', '-1'];
  };

const decimals: Make = (at, { modifier }) => {
  const digits = modifier < LENGTH_BESIDE_MODIFIER ? undefined : modifier - LENGTH_BESIDE_MODIFIER;
  const scale = digits === undefined ? 2 : digits & 0x7_ff;
  const whole = digits === undefined ? 12 : Math.max(0, ((digits >> 16) & 0xff_ff) - scale);
  const unit = scale === 0 ? '' : `.${String((at.row % 9) + 1)}`;
  const number = String(numberOf(at) % 10 ** Math.min(whole, 9));
  return [
    `${whole === 0 ? '0' : number}${unit}`,
    `0${unit}`,
    '1',
    '0.5',
    '0',
    '0.05',
    '10',
    '50',
    '100',
    '-1',
  ].filter(
    (text) => text.replace(/^-/, '').split('.')[0] === '0' || (text.split('.')[0] ?? '').length <= whole,
  );
};

/** The newest row of a world is from about now, each further one from a day before. In milliseconds. */
function instant(at: Place): number {
  const midnight = Math.floor(at.now.getTime() / DAY_MS) * DAY_MS;
  return midnight - (at.row + at.turn) * DAY_MS - (at.world + 1) * MINUTE_MS;
}

const SHIFTS_MS = [
  0,
  HOUR_MS,
  DAY_MS,
  30 * DAY_MS,
  400 * DAY_MS,
  4_000 * DAY_MS,
  -DAY_MS,
  -400 * DAY_MS,
  -9_000 * DAY_MS,
];

const dates: Make = (at) => SHIFTS_MS.map((by) => iso(instant(at) + by).slice(0, 10));
const instants: Make = (at) => SHIFTS_MS.map((by) => `${iso(instant(at) + by).slice(0, 19)}+00`);
const times: Make = (at) => [
  `${String((at.row + at.turn) % 24).padStart(2, '0')}:${String(at.world % 60).padStart(2, '0')}:00`,
  '12:00:00',
  '23:59:59',
  '00:00:00',
];

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

const json: Make = (at, { name }) => {
  const mark = JSON.stringify(`${at.marker}-${at.row + 1}`);
  return [`{"${name}":${mark}}`, `{"marker":${mark}}`, `[${mark}]`, '{}', '[]', mark, '1', 'true', 'null'];
};

const MAKERS: Readonly<Record<string, Make>> = {
  text: texts,
  varchar: texts,
  bpchar: texts,
  citext: texts,
  name: (at, column) => texts(at, { ...column, modifier: 63 + LENGTH_BESIDE_MODIFIER }),
  char: (at) => rotated(['a', 'b', 'c', 'd'], at.row + at.turn),
  int2: integers(30_000),
  int4: integers(2_000_000_000),
  int8: integers(Number.MAX_SAFE_INTEGER),
  oid: integers(2_000_000_000),
  numeric: decimals,
  money: decimals,
  float4: decimals,
  float8: decimals,
  bool: (at) => rotated(['true', 'false'], at.row + at.turn),
  uuid: (at, { name }) => [uuidOf(at.seed, at.table, name, at.world, at.row, at.turn)],
  date: dates,
  timestamp: instants,
  timestamptz: instants,
  time: times,
  timetz: times,
  interval: (at) => [`${at.row + at.turn + 1} hours`, '1 day', '30 days', '5 minutes', '0', '10 years'],
  json,
  jsonb: json,
  bytea: (at) => [
    `\\x${Buffer.from(`${at.marker}-${at.row + at.turn * 10 + 1}`).toString('hex')}`,
    `\\x${uuidOf(at.seed, at.table, at.world, at.row, at.turn).replaceAll('-', '').repeat(2)}`,
    `\\x${uuidOf(at.seed, at.table, at.world, at.row, at.turn).replaceAll('-', '')}`,
    '\\x',
  ],
  inet: (at) => [`10.${at.world}.${at.turn % 256}.${(at.row % 250) + 1}`, '2001:db8::1'],
  cidr: (at) => [`10.${at.world}.${(at.row + at.turn) % 256}.0/24`],
  macaddr: (at) => [`02:00:00:${hex(at.world)}:${hex(at.turn)}:${hex(at.row)}`],
  macaddr8: (at) => [`02:00:00:00:00:${hex(at.world)}:${hex(at.turn)}:${hex(at.row)}`],
  tsvector: (at) => [`'${at.marker}' '${at.row}'`],
  tsquery: (at) => [`'${at.marker}'`],
  xml: (at) => [`<row>${at.marker}-${at.row}</row>`],
  bit: (at, { modifier }) => bits(at, Math.max(1, modifier)),
  varbit: (at, { modifier }) => bits(at, modifier > 0 ? modifier : 8),
  point: (at) => [`(${at.world},${at.row + at.turn})`],
  line: (at) => [`{1,${at.row + 1},${at.world}}`],
  lseg: (at) => [`[(${at.world},0),(${at.world},${at.row + 1})]`],
  box: (at) => [`(${at.world},${at.row}),(${at.world + 1},${at.row + 1})`],
  path: (at) => [`[(${at.world},0),(1,${at.row + 1})]`],
  polygon: (at) => [`((0,0),(${at.world + 1},0),(0,${at.row + 1}))`],
  circle: (at) => [`<(${at.world},${at.row}),1>`],
  pg_lsn: (at) => [`0/${numberOf(at).toString(16).toUpperCase()}`],
  regclass: () => ['pg_catalog.pg_class'],
  regtype: () => ['pg_catalog.text'],
  regrole: () => ['pg_monitor'],
  ltree: (at) => [`${at.marker}.r${at.row + at.turn}`],
  hstore: (at) => [`marker=>${at.marker}`],
  vector: (at, { modifier }) => [
    `[${Array.from({ length: Math.max(1, modifier) }, (_, k) => (at.row + k) % 7).join(',')}]`,
  ],
  geometry: (at) => [`POINT(${at.world} ${at.row})`, `SRID=4326;POINT(${at.world} ${at.row})`],
  geography: (at) => [`POINT(${at.world} ${at.row})`],
};

const unknown: Make = (at) => [`${at.marker}-${at.row + 1}`, String(numberOf(at)), '1', '0', '', '{}'];

function hex(number: number): string {
  return (number % 256).toString(16).padStart(2, '0');
}

function bits(at: Place, length: number): readonly string[] {
  return [
    hashOf(at.seed, at.table, at.world, at.row, at.turn).toString(2).padStart(length, '0').slice(0, length),
  ];
}

const DISCRETE_STEP = 1;

/** Ranges that do not touch one another. */
function ranges(
  wanted: Wanted,
  at: Place,
  of: { readonly types: ReadonlyMap<number, Type>; readonly inner: number },
): readonly string[] {
  const name = of.types.get(of.inner)?.name ?? '';
  const long = at.row + at.turn;
  if (name === 'date' || name.startsWith('timestamp')) {
    const from = instant({ ...at, row: (at.world * ROWS_APART + long) * 3, turn: 0 });
    return [`[${iso(from).slice(0, 19)},${iso(from + DAY_MS).slice(0, 19)})`].map((range) =>
      name === 'date' ? range.replaceAll(/T[\d:]+/g, '') : range,
    );
  }
  if (/^(int|numeric|float|oid)/.test(name)) {
    const from = (at.world * ROWS_APART + long) * 10;
    return [`[${from},${from + 5 + DISCRETE_STEP})`];
  }
  const [low] = valuesOfType({ ...wanted, type: of.inner, modifier: -1 }, at, of.types);
  return low === undefined
    ? ['empty']
    : [`["${low.replaceAll(/["\\]/g, '\\$&')}",]`.replace(',]', ',)'), 'empty'];
}

function composite(type: Type, at: Place, types: ReadonlyMap<number, Type>): string {
  const parts = type.parts.map((part, index) => {
    const [value] = valuesOfType({ ...part, name: `${type.name}-${index}` }, at, types);
    return value === undefined ? '' : quoted(value);
  });
  return `(${parts.join(',')})`;
}

function arrays(wanted: Wanted, at: Place, types: ReadonlyMap<number, Type>): readonly string[] {
  const values = valuesOfType({ ...wanted }, at, types);
  return [
    ...values.slice(0, 4).map((value) => `{${quoted(value)}}`),
    '{}',
    `{${values.slice(0, 2).map(quoted).join(',')}}`,
  ];
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
}
