// HT801: a sequence near its end. HT802: ids of 32 bits. HT803: numbers of each parent from one sequence.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { inScope, partSubject } from '../facts/naming.ts';
import { type Relation, type RelationColumn, relations } from '../facts/relations.ts';

// As pg_sequences reads them: last_value only where the reader may see it. A default depends on the sequence it calls.
const SEQUENCES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, s.seqmin::pg_catalog.float8 AS min, s.seqmax::pg_catalog.float8 AS max,
         s.seqincrement > 0 AS up, s.seqcycle AS cycles, u.relation, u.column,
         pg_catalog.has_sequence_privilege(c.oid, 'SELECT') OR pg_catalog.has_sequence_privilege(c.oid, 'USAGE') AS readable,
         CASE WHEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') OR pg_catalog.has_sequence_privilege(c.oid, 'USAGE')
           THEN pg_catalog.pg_sequence_last_value(c.oid)::pg_catalog.float8 END AS last
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT d.refobjid AS relation, a.attname::pg_catalog.text AS column
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
    UNION ALL
    SELECT f.adrelid, a.attname::pg_catalog.text
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
    LIMIT 1) u ON true
  WHERE ${inScope('n')}
  ORDER BY 1, 2`;

interface SequenceRow {
  readonly schema: string;
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly up: boolean;
  readonly cycles: boolean;
  readonly relation: number | null;
  readonly column: string | null;
  readonly readable: boolean;
  readonly last: number | null;
}

const LARGEST: Readonly<Record<string, number>> = { smallint: 32_767, integer: 2_147_483_647 };
const WARN_AT = 0.7;
const ERROR_AT = 0.9;

export const sequenceNearEnd: TrapCheck = {
  code: 'HT801',
  name: 'sequence-near-its-end',
  title: 'A sequence has used up most of its numbers',
  severity: 'error',
  traps: ['B4-23'],
  find: async ({ facts, query, unseen }) => {
    const { byOid } = await facts(relations);
    const rows = await query<SequenceRow>(SEQUENCES_SQL);
    const hidden = rows.filter(({ readable }) => !readable);
    if (hidden.length > 0)
      unseen(
        `${hidden.length} sequences may not be read by this role: ${hidden[0]?.schema}.${hidden[0]?.name} …`,
      );
    return rows.flatMap((row): readonly Draft[] => {
      const table = byOid(row.relation ?? 0);
      const column = table?.columns.find(({ name }) => name === row.column);
      const end = Math.min(row.max, LARGEST[column?.type ?? ''] ?? Infinity);
      if (row.last === null || row.cycles || !row.up) return [];
      const used = (row.last - row.min) / (end - row.min);
      return used < WARN_AT ? [] : [nearEnd(row, { table, column, used, end })];
    });
  },
  page: {
    what: 'A `serial` or `integer GENERATED … AS IDENTITY` key: it ends at 2,147,483,647.',
    effect:
      'At the end every INSERT fails: `nextval: reached maximum value of sequence "orders_id_seq" (2147483647)`, or `integer out of range` where the sequence counts further than the column.',
    mend: 'Make the column `bigint` before that. `ALTER COLUMN … TYPE bigint` rewrites the table under ACCESS EXCLUSIVE; with many rows add a column, fill it in batches and swap.',
  },
};

function nearEnd(
  row: SequenceRow,
  at: {
    readonly table: Relation | undefined;
    readonly column: RelationColumn | undefined;
    readonly used: number;
    readonly end: number;
  },
): Draft {
  const { table, column, used, end } = at;
  const says =
    end < row.max
      ? `${column?.type ?? 'the column'} out of range`
      : `nextval: reached maximum value of sequence "${row.name}" (${row.max})`;
  const widened = table === undefined || column === undefined ? [] : widen(table, column, row);
  return {
    subject: `sequence ${row.schema}.${row.name}`,
    severity: used >= ERROR_AT ? 'error' : 'warning',
    what: `It stands at ${row.last ?? 0} of ${end}: ${Math.floor(used * 100)} % are used${table === undefined ? '' : `, for ${table.schema}.${table.name}.${column?.name ?? ''}`}.`,
    effect: `At the end every INSERT that takes a number fails: ${says}.`,
    mend: column?.type === 'bigint' ? [`ALTER SEQUENCE ${qualified(row)} NO MAXVALUE`] : widened,
    advice:
      'Changing the type rewrites the table under ACCESS EXCLUSIVE. Columns that point at it need the wider type as well; a table with many rows is better changed by a new column, filled in batches.',
  };
}

/** An identity's sequence follows its column; a serial's does not. */
function widen(
  table: Relation,
  column: RelationColumn,
  sequence: { readonly schema: string; readonly name: string } | undefined,
): readonly string[] {
  const type = `ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column.name)} TYPE bigint`;
  if (column.identity || sequence === undefined) return [type];
  return [type, `ALTER SEQUENCE ${qualified(sequence)} AS bigint`];
}

export const narrowIds: TrapCheck = {
  code: 'HT802',
  name: 'ids-of-32-bits',
  title: 'A key that a sequence fills is an integer of 32 bits or fewer',
  severity: 'info',
  traps: ['B4-23'],
  find: async ({ facts, query }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    const sequences = await query<SequenceRow>(SEQUENCES_SQL);
    return tables.flatMap((table): readonly Draft[] => {
      if (table.parent !== null) return [];
      const keys = of(table.oid).find(({ kind }) => kind === 'p')?.columns ?? [];
      return table.columns.flatMap((column): readonly Draft[] => {
        const filled = column.identity || (column.default ?? '').startsWith('nextval(');
        if (!keys.includes(column.name) || !filled || LARGEST[column.type] === undefined) return [];
        const sequence = sequences.find(
          ({ relation, column: name }) => relation === table.oid && name === column.name,
        );
        return [
          {
            subject: partSubject('column', column.name, table),
            what: `It is ${column.type} and filled by a sequence.`,
            effect: `After ${LARGEST[column.type]} rows, those of failed transactions counted, every INSERT fails.`,
            mend: widen(table, column, sequence),
            advice: 'Cheap while the table is small: the change rewrites it under ACCESS EXCLUSIVE.',
          },
        ];
      });
    });
  },
  page: {
    what: '`id serial PRIMARY KEY`, the short way to a number, is an integer of four bytes with a sequence beside it.',
    effect:
      'Numbers are used up by failed transactions too. At 2,147,483,647 it is over, and the change to bigint is then a change of the largest table.',
    mend: '`bigint GENERATED ALWAYS AS IDENTITY` for new tables. A table that is in use gets a second column, filled beside the writers, that takes the place of the first.',
  },
};

export const numberPerParent: TrapCheck = {
  code: 'HT803',
  name: 'number-per-parent-from-one-sequence',
  title: 'A number within a parent comes from one sequence for all parents',
  severity: 'warning',
  traps: ['B4-23'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    return (await facts(constraints)).all.flatMap((key): readonly Draft[] => {
      const table = byOid(key.relation);
      if (key.kind !== 'u' || key.inherited || key.columns.length < 2 || table === undefined) return [];
      const number = table.columns.find(
        ({ name, default: text, identity }) =>
          key.columns.includes(name) && (identity || (text ?? '').startsWith('nextval(')),
      );
      if (number === undefined) return [];
      const parent = key.columns.filter((name) => name !== number.name).join(', ');
      return [
        {
          subject: partSubject('column', number.name, table),
          what: `It is unique within (${parent}) and filled by one sequence for all.`,
          effect: `Two parents get {1, 3} and {2, 5}: numbers of one ${parent} have holes, a rolled back INSERT leaves another, and anybody may write 99.`,
          mend: [],
          advice:
            'Keep the last number on the parent: UPDATE … SET last = last + 1 … RETURNING last in the transaction that inserts.',
        },
      ];
    });
  },
  page: {
    what: '`execution_number SERIAL, UNIQUE (workflow_id, execution_number)`.',
    effect: 'The sequence is global: two workflows got {1, 3} and {2, 5}. A rollback leaves a gap.',
    mend: 'A counter on the parent, updated and returned in the inserting transaction.',
  },
};
