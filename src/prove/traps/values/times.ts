// HT804: instants without a zone. HT805: a time of making that may be missing. HT806: a time of change that never moves.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { routines } from '../facts/functions.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';
import { triggers } from '../facts/triggers.ts';
import { views } from '../facts/views.ts';

const NOW =
  /^\(?(?:now\(\)|CURRENT_TIMESTAMP|clock_timestamp\(\)|transaction_timestamp\(\)|statement_timestamp\(\))/;

export const timeWithoutZone: TrapCheck = {
  code: 'HT804',
  name: 'time-without-zone',
  title: 'Instants are stored without a time zone',
  severity: 'info',
  traps: ['BX-19', 'B4-09'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    const read = new Set([...(await facts(views)).values()].flatMap(({ reads }) => reads));
    return tables.flatMap((table): readonly Draft[] => {
      if (root(table) !== table) return [];
      const bare = table.columns.filter(
        ({ type }) => type.startsWith('timestamp') && type.endsWith('without time zone'),
      );
      if (bare.length === 0) return [];
      const names = bare.map(({ name }) => name);
      const changeable =
        table.kind === 'r' && !read.has(table.oid) && bare.every(({ generated }) => !generated);
      return [
        {
          subject: relationSubject(table),
          what: `${names.join(', ')} ${names.length === 1 ? 'is a timestamp' : 'are timestamps'} without time zone.`,
          effect:
            'now() is cut to the wall clock of the session that writes; a session of another zone reads another instant, and the hour that repeats in autumn cannot be told apart.',
          mend: changeable
            ? names.map(
                (name) =>
                  `ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(name)} TYPE timestamptz USING ${ident(name)} AT TIME ZONE 'UTC'`,
              )
            : [],
          advice:
            'The statement says that what is stored is UTC: write the zone that the writers had. It rewrites the table.',
        },
      ];
    });
  },
  page: {
    what: '`created_at timestamp DEFAULT now()`: a time of day without the zone it was read in.',
    effect:
      'The value has no zone: what a session in São Paulo writes, one in UTC reads as three hours earlier.',
    mend: '`timestamptz`. It takes the same eight bytes.',
  },
};

const MADE = /^(?:created|inserted|occurred|recorded|logged)_(?:at|on)$/;

export const madeAtMissing: TrapCheck = {
  code: 'HT805',
  name: 'created-at-may-be-null',
  title: 'The time a row was made at may be NULL',
  severity: 'info',
  traps: ['B4-26'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    return tables.flatMap((table) =>
      table.columns
        .filter(
          (column) =>
            MADE.test(column.name) &&
            !column.notNull &&
            NOW.test(column.default ?? '') &&
            root(table) === table,
        )
        .map(({ name }): Draft => ({
          subject: partSubject('column', name, table),
          what: `${name} has a default and may be NULL all the same.`,
          effect: 'A row with NULL is in no window: retention never deletes it, reports never count it.',
          mend: [`ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(name)} SET NOT NULL`],
          advice: 'Give rows that hold NULL a time first.',
        })),
    );
  },
  page: {
    what: '`created_at timestamptz DEFAULT now()` without NOT NULL.',
    effect:
      'A default is not asked when NULL is written. `created_at < …` is not true for NULL: the row outlives every retention.',
    mend: 'Fill the rows that have none, then `ALTER TABLE … ALTER COLUMN created_at SET NOT NULL`; on a big table through a CHECK that is validated first.',
  },
};

const CHANGED = /^(?:updated|modified|changed)_(?:at|on)$|^last_(?:updated|modified)(?:_at)?$/;

export const changedAtStands: TrapCheck = {
  code: 'HT806',
  name: 'updated-at-never-moves',
  title: 'Nothing in the database moves the time of the last change',
  severity: 'info',
  traps: ['B4-26'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    const { of } = await facts(triggers);
    const functions = await facts(routines);
    const moves = (table: Relation, name: string): boolean =>
      of(table.oid).some(({ when, forEach, events, function: oid, enabled }) => {
        if (when !== 'before' || forEach !== 'row' || !events.includes('update') || enabled === 'D')
          return false;
        // What is written in C is not looked into.
        return functions.byOid(oid)?.source.includes(name) ?? true;
      });
    return tables.flatMap((table) =>
      table.columns
        .filter(
          ({ name, default: text, generated }) => CHANGED.test(name) && !generated && NOW.test(text ?? ''),
        )
        .filter(({ name }) => root(table) === table && !moves(table, name))
        .map(({ name }) => standing(table, name)),
    );
  },
  page: {
    what: '`updated_at timestamptz DEFAULT now()`, and no trigger.',
    effect:
      'A default is for INSERT: after an UPDATE `updated_at` still is `created_at`, unless every statement of every program sets it.',
    mend: 'A BEFORE UPDATE row trigger that sets `NEW.updated_at := now()`; a default works for INSERT alone.',
  },
};

function standing(table: Relation, name: string): Draft {
  const touch = `${qualified({ schema: table.schema, name: `${table.name.slice(0, 30)}_touch_${name.slice(0, 20)}` })}()`;
  const trigger = ident(`${table.name.slice(0, 30)}_touch_${name.slice(0, 20)}`);
  return {
    subject: partSubject('column', name, table),
    what: `${name} has a default, and no trigger sets it on UPDATE.`,
    effect: `After an UPDATE that does not name it, ${name} is what it was when the row was made.`,
    mend: [
      `CREATE FUNCTION ${touch} RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $touch$ BEGIN NEW.${ident(name)} := now(); RETURN NEW; END $touch$`,
      `CREATE TRIGGER ${trigger} BEFORE UPDATE ON ${qualified(table)} FOR EACH ROW EXECUTE FUNCTION ${touch}`,
    ],
    advice: 'Where every program that writes sets it by itself, nothing is to be done.',
  };
}
