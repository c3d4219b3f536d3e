// Lowers erasure to the register of who was erased, triggers that refuse new rows of them, and doors in the triggers that
// keep rows as they are.
import { ERASING_SETTING } from '../../define/erasure.ts';
import { label, type Model, type RelationName, type Statement, type Table } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { withStatements } from '../addition.ts';
import { withDoor } from '../immutability/build.ts';
import { objectName } from '../name.ts';
import { ownTable, withTables } from '../rollups/state.ts';
import type { ErasureOptions } from './options.ts';
import { type ErasurePlan, planOf, type Rule, type Subject } from './plan.ts';
import { barrierFunction, doorCall, doorFunction, type Routine } from './sql.ts';

/**
 * The model with the register, and with every table of a subject guarded against rows of one that was erased. A trigger of
 * the statement looks at all new rows at once; one of the row fires only where a carrying column changes.
 */
export function built(model: Model, options: ErasureOptions): Model {
  const plan = planOf(model, options);
  const schemas = model.schemas.includes(plan.register.schema)
    ? model.schemas
    : [...model.schemas, plan.register.schema];
  const registered = withTables({ ...model, schemas }, [registerTable(plan), saltTable(plan)]);
  const guarded = withStatements(registered, [
    ...routine(registered, doorFunction(plan), 'public'),
    ...barriers(registered, plan),
  ]);
  return doors(guarded, plan);
}

function registerTable(plan: ErasurePlan): Table {
  return {
    ...ownTable(plan.register, [
      { name: 'subject', type: 'text', notNull: true },
      { name: 'digest', type: 'bytea', notNull: true },
      { name: 'since', type: 'timestamptz', notNull: true },
    ]),
    primaryKey: { name: 'holdfast_erased_pkey', columns: ['subject', 'digest'] },
    comment: 'Who was erased: digests of keys with the salt beside, never the keys. Kept by Holdfast.',
  };
}

function saltTable(plan: ErasurePlan): Table {
  return {
    ...ownTable(plan.salt, [
      { name: 'one', type: 'boolean', notNull: true, default: 'true' },
      { name: 'salt', type: 'bytea', notNull: true },
    ]),
    primaryKey: { name: 'holdfast_erased_salt_pkey', columns: ['one'] },
    checks: [
      { name: 'holdfast_erased_salt_one', expression: 'one' },
      { name: 'holdfast_erased_salt_long', expression: 'length(salt) = 32' },
    ],
    comment: 'What the digests of the register are made with. Kept by Holdfast.',
  };
}

function barriers(model: Model, plan: ErasurePlan): Statement[] {
  const tables = new Map<string, { readonly of: RelationName; readonly carried: Carried[] }>();
  for (const subject of plan.subjects)
    for (const rule of subject.rules) {
      if (rule.act === 'keep' || rule.by.length === 0) continue;
      const entry = tables.get(label(rule.of)) ?? { of: rule.of, carried: [] };
      entry.carried.push({ subject, rule });
      tables.set(label(rule.of), entry);
    }
  return [...tables.values()].flatMap(({ of, carried }) => {
    const name = { schema: of.schema, name: objectName(`${of.name}_refuse_erased`) };
    const columns = new Set(
      carried.flatMap(({ rule }) =>
        [...rule.by, ...(rule.within === undefined ? [] : [rule.within])].map((one) => one.column),
      ),
    );
    return [
      ...routine(model, barrierFunction(plan, { name, of, carried })),
      ...barrierTriggers(of, name, [...columns]),
    ];
  });
}

interface Carried {
  readonly subject: Subject;
  readonly rule: Rule;
}

function barrierTriggers(of: RelationName, run: RelationName, columns: readonly string[]): Statement[] {
  const moves = columns.map((column) => `NEW.${ident(column)} IS DISTINCT FROM OLD.${ident(column)}`);
  const call = `EXECUTE FUNCTION ${qualified(run)}()`;
  const about = { origin: `trait erasure on ${label(of)}`, phase: 'after' as const };
  return [
    {
      ...about,
      subject: `trigger holdfast_e_10_insert on ${label(of)}`,
      sql: `CREATE TRIGGER holdfast_e_10_insert AFTER INSERT ON ${qualified(of)} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT ${call}`,
    },
    // Before, for a row that moves to another partition, of which no later trigger hears; after, because a check that came
    // before the row was written could not have seen who is registered meanwhile.
    ...(['BEFORE', 'AFTER'] as const).map((when, at) => {
      const name = `holdfast_e_${at + 2}0_update`;
      return {
        ...about,
        subject: `trigger ${name} on ${label(of)}`,
        sql: `CREATE TRIGGER ${name} ${when} UPDATE OF ${columns.map(ident).join(', ')} ON ${qualified(of)} FOR EACH ROW WHEN (${moves.join(' OR ')}) ${call}`,
      };
    }),
  ];
}

/** A door opens for rows of subjects that stand in the register; a table's archive has the same as the table. */
function doors(model: Model, plan: ErasurePlan): Model {
  let so = model;
  for (const table of model.tables) {
    const of = table.archiveOf ?? table;
    const calls = plan.subjects.flatMap((subject) =>
      subject.rules
        .filter((rule) => rule.despiteImmutability && label(rule.of) === label(of))
        .flatMap((rule) => rule.by.map((by) => doorCall(plan, { subject, rule, by }))),
    );
    if (calls.length > 0) so = withDoor(so, { of: table, when: `${ERASES} AND (${calls.join(' OR ')})` });
  }
  return so;
}

/** Asked before the door is: it costs nobody else a call. */
const ERASES = `coalesce(pg_catalog.current_setting(${literal(ERASING_SETTING)}, true) = 'on', false)`;

function routine(model: Model, made: Routine, callers: 'public' | 'nobody' = 'nobody'): Statement[] {
  const { of, takes, sql } = made;
  const call = `${qualified(of)}(${takes})`;
  const about = {
    subject: `function ${label(of)}(${takes})`,
    origin: 'trait erasure',
    phase: 'before' as const,
  };
  return [
    { ...about, sql },
    ...(callers === 'public' ? [] : [{ ...about, sql: `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC` }]),
    ...(model.owner === undefined
      ? []
      : [
          { ...about, phase: 'after' as const, sql: `ALTER FUNCTION ${call} OWNER TO ${ident(model.owner)}` },
        ]),
  ];
}
