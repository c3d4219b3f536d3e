// What is refused when an erasure is read: whoever would be left behind, and what could never go.
import { integer, pgSchema, timestamp } from 'drizzle-orm/pg-core';
import { describe, expect, test } from 'vitest';
import { database, DefinitionError, type Diagnostic } from '../../src/define/index.ts';
import { erasure, immutability, partitions, retention } from '../../src/traits/index.ts';
import type { ErasedTable, ErasureOptions, ErasureSubject } from '../../src/traits/index.ts';
import type { Piece } from '../../src/define/job.ts';
import { asPiece, type State } from '../../src/traits/erasure/request.ts';
import { subjectsOf, tablesOf } from './erasure-stand.ts';

const tables = tablesOf('checked');
const { person, tenant } = subjectsOf(tables);

/** What is found, errors and hints alike. */
function found(subjects: ErasureOptions['subjects'], frozen = true): readonly Diagnostic[] {
  try {
    return database('checked', {
      tables,
      traits: [
        ...(frozen ? [immutability(tables.events, { kind: 'append-only' })] : []),
        partitions(tables.events, { by: 'created_at', every: 'month' }),
        erasure({ subjects }),
      ],
    }).notes;
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return error.diagnostics;
  }
}

function errors(subjects: ErasureOptions['subjects']): readonly string[] {
  return found(subjects)
    .filter((one) => one.severity === 'error')
    .map((one) => `${one.code} ${one.subject}: ${one.what}`);
}

/** The person, with what is said of one table in place of what is said of it before. */
function saying(table: ErasedTable | undefined, without: ErasedTable['table']): ErasureSubject {
  const others = (person?.tables ?? []).filter((one) => one.table !== without);
  return { ...person, tables: [...others, ...(table === undefined ? [] : [table])] };
}

function refused(table: ErasedTable, without: ErasedTable['table']): readonly string[] {
  return errors({ person: saying(table, without) });
}

describe('a table is not forgotten', () => {
  test('one that is named as it should be has nothing wrong', () => {
    expect(person === undefined || tenant === undefined ? undefined : errors({ person })).toEqual([]);
  });

  test.each([
    [
      'that points at the subject',
      tables.orders,
      "table checked.orders: its foreign key (tenant_id, user_id) leads to checked.users, whose rows are a person's; the erasure does not say what becomes of its rows.",
    ],
    [
      'that points at rows which go',
      tables.items,
      "table checked.items: its foreign key (tenant_id, order_id) leads to checked.orders, whose rows are a person's; the erasure does not say what becomes of its rows.",
    ],
    [
      'that has the column which carries the key elsewhere',
      tables.visits,
      'table checked.visits: it has a column user_id, which carries the key of a person in other tables; the erasure does not say what becomes of its rows.',
    ],
  ])('one %s', (_what, table, said) => {
    expect(errors({ person: saying(undefined, table) })).toContainEqual(`HF_ERASURE_FORGOTTEN ${said}`);
  });

  test('tables that nobody speaks of are looked at by the names of their columns', () => {
    const notes = found({ shop: { table: tables.tenants, tables: [] } }).map(
      (one) => `${one.code} ${one.subject}`,
    );
    expect(notes).toContain('HF_ERASURE_FORGOTTEN table checked.users');
    const looked = found({ audit: { tables: [{ table: tables.audit, by: 'actor', keep: 'pseudonyms' }] } });
    expect(looked.map((one) => `${one.severity} ${one.code} ${one.subject}`)).toContain(
      'warning HF_ERASURE_LOOKS column checked.users.email',
    );
  });
});

describe('what is asked can be done', () => {
  test('rows that are kept as they are written need a word', () => {
    expect(refused({ table: tables.events, by: 'user_id' }, tables.events)).toEqual([
      'HF_ERASURE_IMMUTABLE table checked.events: its rows are kept as they are written, and a subject could not be erased from it.',
    ]);
    expect(refused({ table: tables.events, by: 'user_id', keep: 'a number' }, tables.events)).toEqual([]);
  });

  test('a column that may not be NULL needs a value instead', () => {
    expect(
      refused(
        { table: tables.comments, by: 'author_id', blank: ['author_id', 'author_name'] },
        tables.comments,
      ),
    ).toEqual([
      'HF_ERASURE_NULL column checked.comments.author_name: it is to lose its value, and it may not be NULL.',
    ]);
  });

  test('a row that stays keeps none that goes', () => {
    expect(refused({ table: tables.comments, by: 'author_id', blank: ['body'] }, tables.comments)).toEqual([
      'HF_ERASURE_POINTS table checked.comments: its rows are to stay, and its foreign key (tenant_id, author_id) keeps those of checked.users from going.',
    ]);
  });

  test('a pseudonym needs a column that holds text', () => {
    expect(
      refused({ table: tables.visits, by: 'user_id', pseudonymise: ['created_at'] }, tables.visits),
    ).toEqual([
      'HF_ERASURE_PSEUDONYM column checked.visits.created_at: its type timestamp with time zone holds no pseudonym.',
    ]);
  });

  test('names that are not there, and tables that nothing leads to', () => {
    expect(refused({ table: tables.visits, by: 'guest_id' }, tables.visits)).toEqual([
      'HF_TRAIT_COLUMN table checked.visits: erasure names column guest_id, which the table does not have.',
    ]);
    expect(errors({ shop: { table: tables.tenants, tables: [{ table: 'checked.nowhere' }] } })).toEqual([
      'HF_TRAIT_TABLE table checked.nowhere: erasure names it, but the definition has no such table.',
    ]);
    expect(refused({ table: tables.audit }, tables.audit)).toEqual([
      'HF_ERASURE_CARRIER table checked.audit: no column and no foreign key of it says which person a row belongs to.',
    ]);
    expect(refused({ table: tables.tenants, by: 'id' }, tables.tenants)).toContainEqual(
      'HF_ERASURE_CARRIER table checked.tenants: a key of a person means something within tenant_id alone, and it has no such column.',
    );
    expect(refused({ table: tables.visits, by: 'created_at' }, tables.visits)).toEqual([
      'HF_ERASURE_CARRIER table checked.visits: created_at should carry the key, which is a text, a uuid or a whole number, and not every one is.',
    ]);
  });

  test('large objects and missing indexes are told', () => {
    const told = found({ person: saying({ table: tables.users }, tables.users) });
    expect(told.map((one) => `${one.severity} ${one.code} ${one.subject}`).sort()).toEqual([
      'info HF_ERASURE_INDEX table checked.comments',
      'info HF_ERASURE_INDEX table checked.events',
      'info HF_ERASURE_INDEX table checked.orders',
      'info HF_ERASURE_INDEX table checked.visits',
      'warning HF_ERASURE_LARGE_OBJECT column checked.users.photo',
    ]);
  });

  test('archived rows are found by a column of their own', () => {
    const schema = pgSchema('post');
    const people = schema.table('people', { id: integer().primaryKey() });
    const parcels = schema.table('parcels', {
      id: integer().primaryKey(),
      sender: integer()
        .notNull()
        .references(() => people.id),
    });
    const scans = schema.table('scans', {
      id: integer().primaryKey(),
      parcel: integer()
        .notNull()
        .references(() => parcels.id),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
    });
    const build = (): unknown =>
      database('post', {
        tables: { schema, people, parcels, scans },
        traits: [
          retention(scans, { online: '1 year', archive: { to: 'schema', for: '1 year' }, then: 'delete' }),
          erasure({
            subjects: { person: { table: people, tables: [{ table: parcels }, { table: scans }] } },
          }),
        ],
      });
    expect(build).toThrow(
      /post\.scans: its archived rows are found through post\.parcels alone.* \[HF_ERASURE_ARCHIVE\]/,
    );
  });

  test('a length of time and a kind of subject that cannot be read', () => {
    expect(() => erasure({ subjects: { person: { ...person, term: 'a fortnight' } } })).toThrow(
      /HF_RETENTION_PERIOD/,
    );
    expect(errors({ 'A Person': { ...person } })).toContainEqual(
      'HF_ERASURE_SUBJECT erasure of a A Person: its name is not of small letters, digits and underscores.',
    );
    expect(errors({ person: { table: tables.users, tables: [] } })).toContainEqual(
      'HF_ERASURE_KEY erasure of a person: nothing says which column of checked.users identifies it.',
    );
  });
});

function requested(digest: string, state: State, at: string): Piece {
  return asPiece({
    subject: 'person',
    digest,
    state,
    basis: 'LGPD art. 18 VI',
    requestedAt: new Date(at),
    dueAt: new Date(new Date(at).getTime() + 10 * 86_400_000),
    erasedAt: null,
    xid: '7',
    counts: [],
    touched: [],
    left: [],
    rewrite: false,
    forgotten: [],
  });
}

test('what is open is measured against its term', async () => {
  const { model, traits } = database('checked', {
    tables,
    traits: [
      immutability(tables.events, { kind: 'append-only' }),
      erasure({ subjects: { person: { ...person, term: '10 days' } } }),
    ],
  });
  const watched = traits.find((one) => one.name === 'erasure')?.watch?.(model);
  const measured = async (pieces: readonly Piece[], now: string): Promise<readonly string[]> => {
    const at = new Date(now);
    const samples = await watched?.collect({ model, query: async () => [], now: at, pieces });
    return (watched?.card?.(samples ?? [], at) ?? []).map(
      (line) => `${line.text}${line.late ? ' LATE' : ''}`,
    );
  };
  const pieces = [
    requested('aa', 'erasing', '2026-05-01T00:00:00Z'),
    requested('bb', 'erasing', '2026-05-05T00:00:00Z'),
    requested('cc', 'erased', '2026-04-01T00:00:00Z'),
  ];
  expect(await measured([], '2026-05-06T00:00:00Z')).toEqual(['none open, 0 erased']);
  expect(await measured(pieces, '2026-05-06T00:00:00Z')).toEqual([
    '2 open, the first due in 5 days; 1 erased',
  ]);
  expect(await measured(pieces, '2026-05-13T12:00:00Z')).toEqual([
    '2 open, the first late by 2 days; 1 erased LATE',
  ]);
});
