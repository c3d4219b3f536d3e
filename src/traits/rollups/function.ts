// Functions that a rollup brings: they run with the rights of the role that refreshes, whoever calls them.
import { label, type RelationName, type Statement } from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';

/** SQLSTATEs these functions raise; class ZH is outside those the SQL standard reserves for itself. */
export const RAISED = {
  forgets: 'ZH010',
  foreignRows: 'ZH011',
  owner: 'ZH012',
  floor: 'ZH013',
  mixedUp: 'ZH014',
} as const;

/** A plpgsql function, as {@link functionStatements} makes it. */
export interface Routine {
  readonly of: RelationName;
  /** Types of its IN arguments, as REVOKE and ALTER name it: `timestamptz, tstzrange`. */
  readonly takes: string;
  /** All of the header between the name and AS: arguments in parentheses, what it returns. */
  readonly head: string;
  readonly body: string;
  readonly owner: string;
  /** Roles that may call it besides its owner; nobody else may. */
  readonly callers?: readonly string[];
}

/**
 * Statements that make a function: SECURITY DEFINER with a fixed search_path, owned by the given role, for nobody else.
 * They come after the tables, so that a trigger may name it.
 */
export function functionStatements(routine: Routine): readonly Statement[] {
  const { of, takes, head, body, owner, callers = [] } = routine;
  const call = `${qualified(of)}(${takes})`;
  return [
    `CREATE FUNCTION ${qualified(of)}${head} LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $holdfast$\n${body}\n$holdfast$`,
    `ALTER FUNCTION ${call} OWNER TO ${ident(owner)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
    ...callers.map((role) => `GRANT EXECUTE ON FUNCTION ${call} TO ${ident(role)}`),
  ].map((sql) => ({
    sql,
    subject: `function ${label(of)}(${takes})`,
    origin: `trait rollups on ${label(of)}`,
    phase: 'after' as const,
  }));
}
