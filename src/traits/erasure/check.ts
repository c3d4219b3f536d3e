// Mistakes that would leave something of an erased subject behind, or keep it from ever being erased, seen in the
// definition alone.
import { findTable, type ForeignKey, label, type Model, type Table } from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { columnOf, relationOf } from '../reference.ts';
import type { ErasedTable, ErasureOptions, ErasureSubject } from './options.ts';
import { carriersOf, isOwn, keyOf, listed, namedTables, planOf, type Rule, type Subject } from './plan.ts';

/** What is wrong with an erasure; none: an empty list. */
export function findings(model: Model, options: ErasureOptions): readonly Diagnostic[] {
  const unknown = Object.values(options.subjects).flatMap((asked) => unknownNames(model, asked));
  if (unknown.length > 0) return unknown;
  const plan = planOf(model, options);
  const covered = new Set(plan.subjects.flatMap((subject) => subject.rules.map((rule) => label(rule.of))));
  return [
    ...plan.subjects.flatMap((subject) => {
      const asked = options.subjects[subject.name];
      return asked === undefined ? [] : aboutSubject({ model, subject, asked });
    }),
    ...looksPersonal(model, covered),
    ...aboutCaches(options),
  ];
}

interface Scene {
  readonly model: Model;
  readonly subject: Subject;
  readonly asked: ErasureSubject;
}

function aboutSubject(scene: Scene): Diagnostic[] {
  return [
    ...aboutKey(scene),
    ...notReached(scene),
    ...forgotten(scene),
    ...scene.subject.rules.flatMap((rule) => aboutRule(scene, rule)),
  ];
}

function unknownNames(model: Model, asked: ErasureSubject): Diagnostic[] {
  const named = [
    ...(asked.table === undefined ? [] : [asked.table]),
    ...(asked.tables ?? []).map((one) => one.table),
  ];
  const tables = named
    .map(relationOf)
    .filter((of) => findTable(model, of) === undefined)
    .map((of) =>
      error('HF_TRAIT_TABLE', `table ${label(of)}`, {
        what: 'erasure names it, but the definition has no such table.',
        fix: 'Add the table or correct its name.',
      }),
    );
  const columns = (asked.tables ?? []).flatMap((said) => {
    const table = findTable(model, relationOf(said.table));
    if (table === undefined) return [];
    return columnsOf(said)
      .filter((name) => !table.columns.some((column) => column.name === name))
      .map((name) => noColumn(table, name));
  });
  return [...tables, ...columns];
}

function columnsOf(said: ErasedTable): readonly string[] {
  const blank = said.blank ?? [];
  const blanked = Array.isArray(blank) ? listed(blank as readonly string[]) : Object.keys(blank);
  return [
    ...(said.by === undefined ? [] : listed(said.by)),
    ...blanked,
    ...(said.pseudonymise ?? []).map(columnOf),
    ...(said.largeObjects ?? []).map(columnOf),
  ];
}

function aboutKey({ model, subject, asked }: Scene): Diagnostic[] {
  const about = `erasure of a ${subject.name}`;
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(subject.name))
    return [
      error('HF_ERASURE_SUBJECT', about, {
        what: 'its name is not of small letters, digits and underscores.',
        fix: "Call it like 'person'.",
      }),
    ];
  if (asked.table !== undefined && keyOf(model, asked) === undefined)
    return [
      error('HF_ERASURE_KEY', about, {
        what: `nothing says which column of ${label(relationOf(asked.table))} identifies it.`,
        fix: "Name it in 'key'.",
      }),
    ];
  return [];
}

/** Tables that are named, and of which nothing says whose their rows are. */
function notReached({ model, subject, asked }: Scene): Diagnostic[] {
  return [...namedTables(asked).keys()]
    .filter((name) => !subject.rules.some((rule) => label(rule.of) === name))
    .map((name) => {
      const table = model.tables.find((one) => label(one) === name);
      const carriers = table === undefined ? [] : carriersOf(model, table, asked);
      return error('HF_ERASURE_CARRIER', `table ${name}`, {
        what:
          carriers.length === 0
            ? `no column and no foreign key of it says which ${subject.name} a row belongs to.`
            : `${carriers.join(', ')} should carry the key, which is a text, a uuid or a whole number, and not every one is.`,
        fix: "Name the column that carries the key in 'by'.",
      });
    });
}

/**
 * Tables that an erasure would pass over: whoever points at the subject, or at rows that go with it, and whoever has a
 * column that carries the key elsewhere.
 */
function forgotten({ model, subject, asked }: Scene): Diagnostic[] {
  const known = new Set(subject.rules.map((rule) => label(rule.of)));
  const goes = new Set(subject.rules.filter((rule) => rule.act === 'delete').map((rule) => label(rule.of)));
  if (subject.root !== undefined) goes.add(label(subject.root));
  const named = namedTables(asked);
  const carriers = new Set(
    [...named.values()].flatMap((said) => (said.by === undefined ? [] : listed(said.by))),
  );
  const within = asked.within === undefined ? undefined : columnOf(asked.within);
  return model.tables
    .filter((table) => !isOwn(table) && !known.has(label(table)) && !named.has(label(table)))
    .flatMap((table) => {
      const key = table.foreignKeys.find((one) => goes.has(label(one.references)));
      const has = (name: string): boolean => table.columns.some((column) => column.name === name);
      const column = [...carriers].find((name) => has(name) && (within === undefined || has(within)));
      if (key === undefined && column === undefined) return [];
      const how =
        key === undefined
          ? `it has a column ${column}, which carries the key of a ${subject.name} in other tables`
          : `its foreign key (${key.columns.join(', ')}) leads to ${label(key.references)}, whose rows are a ${subject.name}'s`;
      return [
        error('HF_ERASURE_FORGOTTEN', `table ${label(table)}`, {
          what: `${how}; the erasure does not say what becomes of its rows.`,
          fix: "Name it in 'tables': its rows go, lose columns (blank, pseudonymise), or are kept for a reason (keep).",
        }),
      ];
    });
}

function aboutRule(scene: Scene, rule: Rule): Diagnostic[] {
  const table = findTable(scene.model, rule.of);
  if (table === undefined) return [];
  return [
    ...aboutWithin(scene, rule, table),
    ...aboutImmutable(rule, table),
    ...aboutColumns(rule, table),
    ...aboutPointers(scene, rule, table),
    ...aboutArchive(scene, rule, table),
    ...aboutLargeObjects(rule, table),
    ...aboutIndex(rule, table),
  ];
}

function aboutWithin({ asked, subject }: Scene, rule: Rule, table: Table): Diagnostic[] {
  if (asked.within === undefined || rule.via !== undefined || rule.within !== undefined) return [];
  const name = columnOf(asked.within);
  return [
    error('HF_ERASURE_CARRIER', `table ${label(table)}`, {
      what: `a key of a ${subject.name} means something within ${name} alone, and it has no such column.`,
      fix: 'Add the column, or leave the table out.',
    }),
  ];
}

function aboutImmutable(rule: Rule, table: Table): Diagnostic[] {
  if (rule.act === 'keep') return [];
  const subject = `table ${label(table)}`;
  if (table.refuses === undefined) return [];
  if (!rule.despiteImmutability)
    return [
      error('HF_ERASURE_IMMUTABLE', subject, {
        what: 'its rows are kept as they are written, and a subject could not be erased from it.',
        fix: "Store a pseudonym there and say keep: 'why', or let the erasure through its triggers: despiteImmutability: true.",
      }),
    ];
  if (rule.by.length > 0) return [];
  return [
    error('HF_ERASURE_IMMUTABLE', subject, {
      what: 'its triggers let a row through by its own columns, and none of them carries the key.',
      fix: 'Give it a column that does, or keep its rows.',
    }),
  ];
}

function aboutColumns(rule: Rule, table: Table): Diagnostic[] {
  return rule.set.flatMap((one): Diagnostic[] => {
    const column = table.columns.find((each) => each.name === one.column);
    const subject = `column ${label(table)}.${one.column}`;
    const inKey = table.primaryKey?.columns.includes(one.column) === true;
    if (one.to !== 'pseudonym' && one.to.value === null && (column?.notNull === true || inKey))
      return [
        error('HF_ERASURE_NULL', subject, {
          what: 'it is to lose its value, and it may not be NULL.',
          fix: `Say what stands there instead: blank: { ${one.column}: 'erased' }.`,
        }),
      ];
    if (one.to === 'pseudonym' && !/^(text|varchar|character varying|uuid)\b/i.test(one.type))
      return [
        error('HF_ERASURE_PSEUDONYM', subject, {
          what: `its type ${one.type} holds no pseudonym.`,
          fix: 'Blank it instead.',
        }),
      ];
    if (column?.generated === undefined) return [];
    return [
      error('HF_ERASURE_GENERATED', subject, {
        what: 'the server computes it.',
        fix: 'Blank the columns it is computed from.',
      }),
    ];
  });
}

/** A row that stays and points at one that goes would keep it there, or go with it. */
function aboutPointers({ subject }: Scene, rule: Rule, table: Table): Diagnostic[] {
  if (rule.act === 'delete') return [];
  const goes = (key: ForeignKey): boolean =>
    subject.rules.some((other) => other.act === 'delete' && label(other.of) === label(key.references));
  const lets = (key: ForeignKey): boolean =>
    /^set (null|default)/i.test(key.onDelete ?? '') ||
    key.columns.some((column) => rule.set.some((one) => one.column === column));
  return table.foreignKeys
    .filter((key) => goes(key) && !lets(key))
    .map((key) =>
      error('HF_ERASURE_POINTS', `table ${label(table)}`, {
        what: /^cascade/i.test(key.onDelete ?? '')
          ? `its rows are to stay, and its foreign key (${key.columns.join(', ')}) deletes them with those of ${label(key.references)}.`
          : `its rows are to stay, and its foreign key (${key.columns.join(', ')}) keeps those of ${label(key.references)} from going.`,
        fix: 'Blank a column of the foreign key as well, make it ON DELETE SET NULL, or let the rows go.',
      }),
    );
}

function aboutArchive({ model }: Scene, rule: Rule, table: Table): Diagnostic[] {
  const archive = model.tables.find(
    (one) => one.archiveOf !== undefined && label(one.archiveOf) === label(table),
  );
  if (archive === undefined || rule.via === undefined || rule.act === 'keep') return [];
  return [
    error('HF_ERASURE_ARCHIVE', `table ${label(table)}`, {
      what: `its archived rows are found through ${label(rule.via.parent)} alone, whose rows may be gone before them.`,
      fix: "Give it a column that carries the key, and name it in 'by'.",
    }),
  ];
}

function aboutLargeObjects(rule: Rule, table: Table): Diagnostic[] {
  if (rule.act === 'keep') return [];
  return table.columns
    .filter((column) => /^(oid|lo)$/i.test(column.type.trim()) && !rule.largeObjects.includes(column.name))
    .map((column) => ({
      code: 'HF_ERASURE_LARGE_OBJECT',
      severity: 'warning',
      subject: `column ${label(table)}.${column.name}`,
      what: 'if it holds the numbers of large objects, they stay when its rows are erased.',
      fix: "Name it in 'largeObjects'.",
    }));
}

/** Without an index each batch reads the table from its start. */
function aboutIndex(rule: Rule, table: Table): Diagnostic[] {
  if (rule.via !== undefined || rule.act === 'keep') return [];
  const leads = (column: string): boolean => {
    const lead = [
      table.primaryKey?.columns,
      ...table.uniques.map((key) => key.columns),
      ...table.indexes
        .filter((one) => one.where === undefined)
        .map((one) => one.elements.flatMap((element) => element.column ?? [])),
    ];
    const prefix = rule.within === undefined ? [] : [rule.within.column];
    return lead.some(
      (columns = []) => columns.indexOf(column) === 0 || (columns[0] === prefix[0] && columns[1] === column),
    );
  };
  const missing = rule.by.map((by) => by.column).filter((column) => !leads(column));
  if (missing.length === 0) return [];
  return [
    {
      code: 'HF_ERASURE_INDEX',
      severity: 'info',
      subject: `table ${label(table)}`,
      what: `no index begins with ${missing.join(', or with ')}: each batch of an erasure reads the whole table.`,
      fix: 'Add one where the table is large.',
    },
  ];
}

const PERSONAL =
  /(^|_)(e_?mail|phone|cpf|ssn|passport|birth|birthday|surname|first_name|last_name|full_name|ip_address)(_|$)/i;

/** Columns that say by their names that a person stands behind them, in tables that no subject reaches. */
function looksPersonal(model: Model, covered: ReadonlySet<string>): Diagnostic[] {
  return model.tables
    .filter((table) => !isOwn(table) && !covered.has(label(table)))
    .flatMap((table) =>
      table.columns
        .filter((column) => PERSONAL.test(column.name))
        .map((column): Diagnostic => ({
          code: 'HF_ERASURE_LOOKS',
          severity: 'warning',
          subject: `column ${label(table)}.${column.name}`,
          what: 'its name says that it is about a person, and no erasure reaches its table.',
          fix: "Name the table in the erasure's 'tables', with the column that carries the key.",
        })),
    );
}

/** Names stand in reports and in the ledger, line by line. */
function aboutCaches({ caches = {} }: ErasureOptions): Diagnostic[] {
  return Object.keys(caches)
    .filter((name) => !/^\w[\w .:/-]{0,59}$/.test(name))
    .map((name) =>
      error('HF_ERASURE_CACHE', `cache ${JSON.stringify(name)}`, {
        what: 'its name is not one that a report can show.',
        fix: "Call it like 'search index': letters, digits, spaces and . : / - up to 60.",
      }),
    );
}

function noColumn(table: Table, name: string): Diagnostic {
  return error('HF_TRAIT_COLUMN', `table ${label(table)}`, {
    what: `erasure names column ${name}, which the table does not have.`,
    fix: 'Add the column or correct its name.',
  });
}

function error(
  code: `HF_${string}`,
  subject: string,
  text: { readonly what: string; readonly fix: string },
): Diagnostic {
  return { code, severity: 'error', subject, ...text };
}
