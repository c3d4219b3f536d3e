// HT807: names that do not fit. HT808: versions in the order of letters. HT809: milliseconds cut to whole ones. HT810: a hash
// that may be anything.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { indexes } from '../facts/indexes.ts';
import { partSubject } from '../facts/naming.ts';
import { type Relation, type RelationColumn, relations, type Relations } from '../facts/relations.ts';
import { views } from '../facts/views.ts';

const NAMED =
  /^(?:database|schema|table|relation|column|index|role|constraint|sequence|function)_name$|^(?:datname|relname|tablename|schemaname)$/;
const LONGEST = 63;

/** Columns of tables that are not partitions of one looked at. */
function columnsOf(
  { tables, root }: Relations,
  fits: (column: RelationColumn) => boolean,
): readonly { table: Relation; column: RelationColumn }[] {
  return tables.flatMap((table) =>
    root(table) === table ? table.columns.filter(fits).map((column) => ({ table, column })) : [],
  );
}

export const namesDoNotFit: TrapCheck = {
  code: 'HT807',
  name: 'identifier-does-not-fit',
  title: 'A column for names of the database is too short for them',
  severity: 'warning',
  traps: ['B3-21'],
  find: async ({ facts }) => {
    const read = new Set([...(await facts(views)).values()].flatMap(({ reads }) => reads));
    return columnsOf(
      await facts(relations),
      ({ name, type }) => NAMED.test(name) && room(type) < LONGEST,
    ).map(({ table, column: { name, type } }): Draft => ({
      subject: partSubject('column', name, table),
      what: `It is ${type}; names of PostgreSQL have up to ${LONGEST} bytes.`,
      effect: `A longer name is refused: value too long for type ${type}.`,
      mend: read.has(table.oid)
        ? []
        : [`ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(name)} TYPE text`],
      advice:
        'To text is a change of the catalogue alone, no row is rewritten; a view that reads it has to be dropped and made again around it.',
    }));
  },
  page: {
    what: '`database_name varchar(50)`, or another column that holds names of PostgreSQL.',
    effect: '`value too long for type character varying(50)`: identifiers go to 63 bytes.',
    mend: '`ALTER TABLE … ALTER COLUMN … TYPE text` (no rewrite), or the type `name`.',
  },
};

function room(type: string): number {
  return Number(/^character(?: varying)?\((\d+)\)$/.exec(type)?.[1] ?? Infinity);
}

const VERSION = /^(?:.*_)?(?:version|semver)$/;

export const versionAsText: TrapCheck = {
  code: 'HT808',
  name: 'version-as-text',
  title: 'Versions are indexed as text, in the order of letters',
  severity: 'info',
  traps: ['B0-14'],
  find: async ({ facts }) => {
    const { of } = await facts(indexes);
    const suspects = columnsOf(
      await facts(relations),
      ({ name, type }) => VERSION.test(name) && isText(type),
    );
    return suspects
      .filter(
        ({ table, column }) =>
          !/migration/.test(table.name) &&
          of(table.oid).some(({ columns, method }) => method === 'btree' && columns.includes(column.name)),
      )
      .map(({ table, column }): Draft => ({
        subject: partSubject('column', column.name, table),
        what: `It is ${column.type} and a key of an index.`,
        effect:
          'Its order is 1.10.0, 1.2.0, 1.9.0, 2.0.0, 2.0.0-rc.1: the newest version is not the last, and 1.10.0 counts as older than 1.9.0.',
        mend: [],
        advice:
          'Keep major, minor and patch as integers, generated from the text, with a key for the pre-release, and order by those.',
      }));
  },
  page: {
    what: '`version text`, with an index, and `ORDER BY version DESC LIMIT 1`.',
    effect: '1.10.0 comes before 1.2.0, and 2.0.0 before 2.0.0-rc.1.',
    mend: 'Generated integer columns for major, minor and patch, and a CHECK of the grammar.',
  },
};

function isText(type: string): boolean {
  return type === 'text' || type.startsWith('character');
}

export const wholeMilliseconds: TrapCheck = {
  code: 'HT809',
  name: 'whole-milliseconds',
  title: 'Durations are stored as whole milliseconds',
  severity: 'info',
  traps: ['B3-07'],
  find: async ({ facts }) =>
    columnsOf(
      await facts(relations),
      ({ name, type }) => /(?:duration|elapsed|latency|took|time)_ms$/.test(name) && type === 'integer',
    ).map(({ table, column: { name } }): Draft => ({
      subject: partSubject('column', name, table),
      what: 'It is an integer of milliseconds.',
      effect:
        '0.4 ms is stored as 0: an average over fast queries is 0, and half of what is below a millisecond is not told apart.',
      mend: [],
      advice: 'Microseconds as integer, or double precision.',
    })),
  page: {
    what: '`duration_ms integer`: whole milliseconds of things that take less than one.',
    effect: '0.4 ms is stored as 0, and an average over fast queries is 0.',
    mend: 'Store microseconds as bigint, or milliseconds as `double precision`.',
  },
};

const HASH = /(?:^|_)(?:sha1|sha256|sha512|md5|checksum|hash|digest)$/;

export const hashUnchecked: TrapCheck = {
  code: 'HT810',
  name: 'hash-unchecked',
  title: 'A column of hashes takes any text',
  severity: 'info',
  traps: ['B2-18', 'B3-17'],
  find: async ({ facts }) => {
    const { of } = await facts(constraints);
    return columnsOf(
      await facts(relations),
      ({ name, type, generated }) => HASH.test(name) && !/password/.test(name) && isText(type) && !generated,
    )
      .filter(
        ({ table, column }) =>
          !of(table.oid).some(
            ({ kind, columns }) => (kind === 'c' || kind === 'f') && columns.includes(column.name),
          ),
      )
      .map(({ table, column: { name, type } }): Draft => ({
        subject: partSubject('column', name, table),
        what: `It is ${type} without a CHECK.`,
        effect: "'not-a-hash' is stored as readily as a hash, and one in capitals is another one.",
        mend: [],
        advice: `For SHA-256 in hexadecimal: CHECK (${ident(name)} ~ '^[0-9a-f]{64}$'); bytea of 32 bytes is half as long.`,
      }));
  },
  page: {
    what: '`content_sha256 varchar(64)`: as long as a hash, and anything else of that length.',
    effect: 'Any text of up to 64 letters is accepted, and nothing ties the hash to what it is of.',
    mend: "`CHECK (content_sha256 ~ '^[0-9a-f]{64}$')`, or a generated column.",
  },
};
