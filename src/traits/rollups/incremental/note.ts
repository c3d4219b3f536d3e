// The trigger function of an incremental rollup: it writes what a statement changed into the queue, added up by key.
import { PUT_BACK_SETTING } from '../../../define/job.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { objectName } from '../../name.ts';
import { RAISED, type Routine } from '../function.ts';
import { stateOf } from '../state.ts';
import { fromClause, groupClause, namesOf, only, type Plan, whereClause } from './plan.ts';

/**
 * Notes rows of a statement as changes to the figures of their keys, in the writer's transaction: what is rolled back
 * was never noted. It only adds rows to the queue, so writers never wait for each other here. A row that is deleted
 * from a closed range is not noted: it left, and what was summed up of it stays. Nor is one that is put back there by
 * a maintenance session that says so: it was summed up when it was there first.
 */
export function noteFunction(plan: Plan): Routine {
  const { options, of } = plan;
  const { note } = namesOf(of);
  const shut = plan.instant === undefined ? [] : [`NOT (holdfast_shut @> ${plan.instant})`];
  const read = `SELECT closed INTO holdfast_shut FROM ${qualified(stateOf(of))} WHERE rollup = ${literal(of.name)};
    holdfast_shut := coalesce(holdfast_shut, '{}');`;
  const closing = plan.instant === undefined ? '' : `\n    ${read}`;
  const member = `pg_has_role(session_user, ${literal(options.refreshedBy)}, 'MEMBER')`;
  const back =
    plan.instant === undefined
      ? ''
      : `  IF TG_OP = 'INSERT' AND current_setting(${literal(PUT_BACK_SETTING)}, true) = 'on' AND ${member} THEN
    ${read}
    ${insert(plan, { sign: '1', from: 'new_rows', where: shut })};
    RETURN NULL;
  END IF;
`;
  const both = `(SELECT 1 AS holdfast_sign, entered.* FROM new_rows AS entered UNION ALL SELECT -1, gone.* FROM old_rows AS gone)`;
  const body = `#variable_conflict use_column
DECLARE
  holdfast_shut tstzmultirange;
BEGIN
${back}  IF TG_OP = 'INSERT' THEN
    ${insert(plan, { sign: '1', from: 'new_rows', where: [] })};
  ELSIF TG_OP = 'UPDATE' THEN${mixedUp(plan)}
    ${insert(plan, { sign: 'source.holdfast_sign', from: both, where: [], having: changed(plan) })};
  ELSIF TG_OP = 'DELETE' THEN${closing}
    ${insert(plan, { sign: '-1', from: 'old_rows', where: shut })};
  ELSE${closing}
    -- TRUNCATE of a partitioned table fires on each partition as well: each notes its own rows, read through the table.
    ${insert(plan, { sign: '-1', from: qualified(plan.source), where: [...shut, 'source.tableoid = TG_RELID'] })};
  END IF;
  RETURN NULL;
END`;
  return { of: note, takes: '', head: '() RETURNS trigger', body, owner: options.refreshedBy };
}

/** Statements that hang the function on the source: PostgreSQL wants one trigger for each kind of transition table. */
export function noteTriggers(plan: Plan): readonly string[] {
  const { note } = namesOf(plan.of);
  const create = (event: 'insert' | 'update' | 'delete' | 'truncate', when: string, tables: string): string =>
    `CREATE TRIGGER ${ident(objectName(`holdfast_r_${plan.of.name}_${event}`))} ${when} ${event.toUpperCase()} ON ${qualified(plan.source)}${tables} FOR EACH STATEMENT EXECUTE FUNCTION ${qualified(note)}()`;
  return [
    create('insert', 'AFTER', ' REFERENCING NEW TABLE AS new_rows'),
    create('update', 'AFTER', ' REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
    create('delete', 'AFTER', ' REFERENCING OLD TABLE AS old_rows'),
    create('truncate', 'BEFORE', ''),
  ];
}

/**
 * Some releases of PostgreSQL report the wrong new rows of an UPDATE where one MERGE on a partitioned table inserts and
 * then updates: the row it inserted last in place of the updated one (seen in 18.4, not in 15.20). An updated row whose
 * key is not among the new ones and yet still in the table gives that away; such a statement is refused, because its
 * sums would be wrong from then on. Keys that really changed are no longer in the table.
 */
function mixedUp(plan: Plan): string {
  const { partitionedKey: key } = plan;
  if (key === undefined) return '';
  const columns = key.map(ident).join(', ');
  const lost = `SELECT ${columns} FROM (SELECT 1 AS holdfast_sign, ${columns} FROM new_rows UNION ALL SELECT -1, ${columns} FROM old_rows) AS both_rows
      GROUP BY ${columns} HAVING sum(holdfast_sign) < 0`;
  const same = key.map((name) => `there.${ident(name)} = lost.${ident(name)}`).join(' AND ');
  return `
    IF EXISTS (${lost}) THEN
      IF EXISTS (SELECT FROM (${lost}) AS lost
        CROSS JOIN LATERAL (SELECT 1 FROM ${qualified(plan.source)} AS there WHERE ${same} LIMIT 1) AS found) THEN
        RAISE EXCEPTION USING ERRCODE = '${RAISED.mixedUp}',
          MESSAGE = format('this server mixes up the rows of a MERGE that inserts into and updates the partitioned table %I.%I; its rollup would be wrong', TG_TABLE_SCHEMA, TG_TABLE_NAME),
          HINT = 'Update PostgreSQL to its newest minor release, or write the MERGE as an INSERT and an UPDATE.';
      END IF;
    END IF;`;
}

interface Noting {
  /** 1 for a row that is there now, -1 for one that was. */
  readonly sign: string;
  readonly from: string;
  readonly where: readonly string[];
  readonly having?: string | undefined;
}

function insert(plan: Plan, noting: Noting): string {
  const noted = only(plan, 'key', 'count', 'sum', 'least', 'greatest', 'carried');
  return `INSERT INTO ${qualified(namesOf(plan.of).queue)} (${noted.map(({ column }) => ident(column)).join(', ')})
    SELECT ${noted.map((figure) => value(figure, noting.sign)).join(', ')}
    ${fromClause(plan, noting.from)}${whereClause(plan, noting.where)}
    ${groupClause(plan, noting.having)}`;
}

function value(figure: ReturnType<typeof only>[number], sign: string): string {
  const { part, expression } = figure;
  const entering = sign === '1' ? '' : ` FILTER (WHERE ${sign} = 1)`;
  if (part === 'key') return expression;
  if (part === 'count') return sign === '1' ? 'count(*)' : `sum(${sign})`;
  if (part === 'sum') {
    const summed = sign === '1' ? `(${expression})` : `${sign} * (${expression})`;
    return `coalesce(sum(${summed}), ${zero(figure.type)})`;
  }
  if (sign === '-1') return 'NULL';
  if (part === 'carried') return `(array_agg(${expression})${entering})[1]`;
  return `${part === 'least' ? 'min' : 'max'}(${expression})${entering}`;
}

/** Nothing of a sum's type. */
export function zero(type: string): string {
  return `${literal('0').trim()}::${type}`;
}

/** Whether an update changed any figure of a key; where some are recounted, every touch is noted. */
function changed(plan: Plan): string | undefined {
  if (only(plan, 'recounted').length > 0) return undefined;
  const counts = [
    `sum(source.holdfast_sign) <> 0`,
    ...only(plan, 'sum').map((figure) => `${value(figure, 'source.holdfast_sign')} <> ${zero(figure.type)}`),
    ...only(plan, 'least', 'greatest').map(({ part, expression }) => {
      const edge = part === 'least' ? 'min' : 'max';
      return `${edge}(${expression}) FILTER (WHERE source.holdfast_sign = 1) IS DISTINCT FROM ${edge}(${expression}) FILTER (WHERE source.holdfast_sign = -1)`;
    }),
  ];
  return counts.join(' OR ');
}
