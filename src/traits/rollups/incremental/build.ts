// Lowers an incremental rollup to a queue, triggers that fill it, and functions that empty it into the table.
import {
  label,
  mapTables,
  type Model,
  type RelationName,
  type Statement,
  type Table,
} from '../../../define/model.ts';
import { ident, qualified } from '../../../sql.ts';
import { quietRole, withRoles, withStatements } from '../../addition.ts';
import { functionStatements } from '../function.ts';
import { ageGrants, ownTable, withState, withTables } from '../state.ts';
import { noteFunction, noteTriggers } from './note.ts';
import type { IncrementalOptions } from './options.ts';
import { joinedOf, namesOf, only, type Plan, planOf } from './plan.ts';
import { rebuildFunction, settleFunction, settleNowFunction } from './settle-sql.ts';

/**
 * The model with the rollup kept. The queue is a logged table without a key: it must survive a crash, and nothing ever
 * looks one of its rows up. No application role is granted anything on it: the trigger writes with its owner's rights.
 * @see https://www.postgresql.org/docs/current/sql-createtrigger.html
 */
export function keepSums(model: Model, of: RelationName, options: IncrementalOptions): Model {
  const plan = planOf(model, of, options);
  if (plan === undefined) return model;
  const owner = options.refreshedBy;
  const state = withState(model, { of, owner });
  const is = (table: Table): boolean => label(table) === label(of);
  const marked = mapTables(state.model, is, (table) => ({ ...table, derived: true }));
  const withQueue = withTables(marked, [queueTable(plan)]);
  return withStatements(withRoles(withQueue, [quietRole(owner, true)]), [
    ...grants(model, plan),
    ...state.statements,
    ...ageGrants(of, options.readers ?? []),
    ...functionStatements(noteFunction(plan)),
    ...functionStatements(settleFunction(plan)),
    ...functionStatements(settleNowFunction(plan)),
    ...functionStatements(rebuildFunction(plan)),
    ...noteTriggers(plan).map((sql) => ({
      sql,
      subject: `trigger ${/"((?:[^"]|"")+)"/.exec(sql)?.[1] ?? ''} on ${label(plan.source)}`,
      origin: `trait rollups on ${label(of)}`,
      phase: 'after' as const,
    })),
  ]);
}

function queueTable(plan: Plan) {
  const { queue } = namesOf(plan.of);
  const noted = only(plan, 'key', 'count', 'sum', 'least', 'greatest', 'carried');
  // Figures may be NULL, so that one can be added while changes wait; they are counted anew then anyway.
  const columns = noted.map(({ part, column, type }) => ({ name: column, type, notNull: part === 'key' }));
  return {
    ...ownTable(queue, columns),
    // Emptied again and again: dead rows are all it grows by.
    storage: { autovacuum_vacuum_scale_factor: '0', autovacuum_vacuum_threshold: '1000' },
    comment: `Changes of ${label(plan.source)} that ${label(plan.of)} does not have yet. Kept by Holdfast.`,
  };
}

function grants(model: Model, plan: Plan): Statement[] {
  const { of, source, options } = plan;
  const role = ident(options.refreshedBy);
  // Another rollup may bring the same grant: its origin is none of them.
  const origin = 'trait rollups';
  const read = [source, ...joinedOf(model, options)];
  const schemas = new Set([...read.map((one) => one.schema), of.schema]);
  const everything = 'SELECT, INSERT, UPDATE, DELETE';
  const on = (right: string, relation: RelationName): Statement => ({
    sql: `GRANT ${right} ON TABLE ${qualified(relation)} TO ${role}`,
    subject: `table ${label(relation)}`,
    origin,
    phase: 'after',
  });
  return [
    ...[...schemas].map((schema) => ({
      sql: `GRANT USAGE${schema === of.schema ? ', CREATE' : ''} ON SCHEMA ${ident(schema)} TO ${role}`,
      subject: `schema ${schema}`,
      origin,
      phase: 'before' as const,
    })),
    ...read.map((one) => on('SELECT', one)),
    on(everything, of),
    on(everything, namesOf(of).queue),
  ];
}
