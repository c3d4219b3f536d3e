// Lowers versioning to two row triggers: one compares the revision that was read, one moves the columns.
import {
  findTable,
  label,
  mapTables,
  type Model,
  type RelationName,
  type Table,
} from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { withStatements } from '../addition.ts';
import { objectName } from '../name.ts';

/** Columns by name, as the database spells them. */
export interface VersionedColumns {
  readonly updatedAt: string | undefined;
  readonly revision: string | undefined;
  readonly etag: string | undefined;
  readonly required: boolean;
}

interface Versioned {
  readonly of: RelationName;
  readonly columns: VersionedColumns;
}

/** SQLSTATE of a write that read an older revision; class ZH is outside those the SQL standard reserves. */
export const STALE_REVISION = 'ZH005';

/**
 * The model with the versioning triggers of one table.
 * PostgreSQL fires row triggers in the order of their names: the comparison (`…_10_compare`, only when the statement
 * sets the revision) comes before the move (`…_20_move`, always), and both come after the triggers of immutability.
 * @see https://www.postgresql.org/docs/current/trigger-definition.html
 */
export function version(model: Model, { of, columns }: Versioned): Model {
  if (findTable(model, of) === undefined) return model;
  const revision = columns.revision ?? columns.etag;
  const moving = [columns.updatedAt, revision].filter((name) => name !== undefined);
  const is = (table: Table): boolean => table.schema === of.schema && table.name === of.name;
  const marked = mapTables(model, is, (table) => ({
    ...table,
    selfMoving: [...new Set([...(table.selfMoving ?? []), ...moving])],
  }));
  const origin = `trait versioning on ${label(of)}`;
  const compare = { schema: of.schema, name: objectName(`${of.name}_compare_revision`) };
  const move = { schema: of.schema, name: objectName(`${of.name}_move_version`) };
  const statement = (sql: string, subject: string, phase: 'before' | 'after') => ({
    sql,
    subject,
    origin,
    phase,
  });
  const statements = [
    statement(moveFunction(move, columns), `function ${label(move)}()`, 'before' as const),
    statement(noExecute(move), `function ${label(move)}()`, 'before' as const),
    statement(
      `CREATE TRIGGER holdfast_v_20_move BEFORE ${columns.etag === undefined ? 'UPDATE' : 'INSERT OR UPDATE'} ON ${qualified(of)} FOR EACH ROW EXECUTE FUNCTION ${qualified(move)}()`,
      `trigger holdfast_v_20_move on ${label(of)}`,
      'after' as const,
    ),
  ];
  if (revision !== undefined) {
    statements.push(
      statement(
        compareFunction(compare, revision, columns.etag === undefined),
        `function ${label(compare)}()`,
        'before',
      ),
      statement(noExecute(compare), `function ${label(compare)}()`, 'before'),
      statement(
        `CREATE TRIGGER holdfast_v_10_compare BEFORE UPDATE OF ${ident(revision)} ON ${qualified(of)} FOR EACH ROW EXECUTE FUNCTION ${qualified(compare)}()`,
        `trigger holdfast_v_10_compare on ${label(of)}`,
        'after',
      ),
    );
  }
  return withStatements(marked, statements);
}

/** What is wrong with the columns that versioning was given. */
export function findings(model: Model, { of, columns }: Versioned): readonly Diagnostic[] {
  const subject = `table ${label(of)}`;
  const wrong = (code: `HF_${string}`, what: string, fix: string): Diagnostic[] => [
    { code, severity: 'error', subject, what, fix },
  ];
  const table = findTable(model, of);
  if (table === undefined) {
    return wrong(
      'HF_TRAIT_TABLE',
      'versioning names it, but the definition has no such table.',
      'Add the table or correct its name.',
    );
  }
  const found: Diagnostic[] = [];
  if (columns.updatedAt === undefined && columns.revision === undefined && columns.etag === undefined) {
    found.push(
      ...wrong('HF_VERSIONING_OPTIONS', 'versioning names no column.', 'Name updatedAt, revision or etag.'),
    );
  }
  if (columns.revision !== undefined && columns.etag !== undefined) {
    found.push(
      ...wrong(
        'HF_VERSIONING_OPTIONS',
        'versioning names a revision and an etag.',
        'Name one of the two: both compare the same thing.',
      ),
    );
  }
  const expected: [string | undefined, RegExp, string][] = [
    [
      columns.updatedAt,
      /^timestamp(\(\d\))? with time zone$|^timestamptz(\(\d\))?$|^timestamp\(\d\) with time zone$/i,
      'timestamptz',
    ],
    [columns.revision, /^(small|big)?int(eger)?$|^int[248]$/i, 'an integer type'],
    [columns.etag, /^text$|^uuid$/i, 'text or uuid'],
  ];
  for (const [name, pattern, wanted] of expected) {
    if (name === undefined) continue;
    const column = table.columns.find((one) => one.name === name);
    if (column === undefined) {
      found.push(
        ...wrong(
          'HF_TRAIT_COLUMN',
          `versioning names column ${name}, which the table does not have.`,
          'Add the column or correct its name.',
        ),
      );
    } else if (!pattern.test(column.type.trim()) || !column.notNull) {
      found.push(
        ...wrong(
          'HF_VERSIONING_COLUMN',
          `column ${name} is ${column.type}${column.notNull ? '' : ', NULL allowed'}; a comparison with it would not be sure.`,
          `Make it ${wanted} NOT NULL.`,
        ),
      );
    }
  }
  return found;
}

function compareFunction(of: RelationName, revision: string, counts: boolean): string {
  const column = ident(revision);
  const next = counts ? `OLD.${column} + 1` : `pg_catalog.gen_random_uuid()::text`;
  return `CREATE FUNCTION ${qualified(of)}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $holdfast$
BEGIN
  -- A statement that waited for another writer comes here with that writer's row as OLD: the comparison is atomic.
  IF NEW.${column} IS DISTINCT FROM OLD.${column} THEN
    RAISE EXCEPTION USING
      ERRCODE = '${STALE_REVISION}',
      MESSAGE = format('row of %I.%I was changed by another writer: it has ${revision.replaceAll("'", "''").replaceAll('%', '%%')} %s, this update read %s', TG_TABLE_SCHEMA, TG_TABLE_NAME, OLD.${column}, NEW.${column}),
      HINT = ${literal(`Read the row again, then set ${revision} to the value you read; the database moves it on.`)},
      TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = ${literal(revision)};
  END IF;
  NEW.${column} := ${next};
  RETURN NEW;
END
$holdfast$`;
}

function moveFunction(of: RelationName, columns: VersionedColumns): string {
  const lines: string[] = [];
  const revision = columns.revision ?? columns.etag;
  if (columns.etag !== undefined) {
    lines.push(
      `  IF TG_OP = 'INSERT' THEN`,
      `    NEW.${ident(columns.etag)} := pg_catalog.gen_random_uuid()::text;`,
      `    RETURN NEW;`,
      `  END IF;`,
    );
  }
  if (revision !== undefined) lines.push(...unmentioned(columns, revision));
  if (columns.updatedAt !== undefined) {
    const column = ident(columns.updatedAt);
    lines.push(
      `  -- The clock is read under the row's lock: the order of versions is the order of times, even if the clock steps back.`,
      `  NEW.${column} := GREATEST(clock_timestamp(), OLD.${column} + interval '1 microsecond');`,
    );
  }
  return `CREATE FUNCTION ${qualified(of)}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $holdfast$
BEGIN
${lines.join('\n')}
  RETURN NEW;
END
$holdfast$`;
}

/** Lines for an update that did not set the revision: the comparison has not moved it. */
function unmentioned(columns: VersionedColumns, revision: string): string[] {
  const column = ident(revision);
  const next = columns.etag === undefined ? `OLD.${column} + 1` : `pg_catalog.gen_random_uuid()::text`;
  if (!columns.required) return [`  IF NEW.${column} = OLD.${column} THEN NEW.${column} := ${next}; END IF;`];
  return [
    `  IF NEW.${column} = OLD.${column} THEN`,
    `    RAISE EXCEPTION USING`,
    `      ERRCODE = '${STALE_REVISION}',`,
    `      MESSAGE = format('this update of %I.%I does not say which ${revision.replaceAll("'", "''").replaceAll('%', '%%')} it read', TG_TABLE_SCHEMA, TG_TABLE_NAME),`,
    `      HINT = ${literal(`Set ${revision} to the value you read; the database moves it on.`)},`,
    `      TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = ${literal(revision)};`,
    `  END IF;`,
  ];
}

function noExecute(of: RelationName): string {
  return `REVOKE ALL ON FUNCTION ${qualified(of)}() FROM PUBLIC`;
}
