// HT317 to HT319: functions that cannot do what their text says.
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { routines, routineSubject, type Routine } from '../facts/functions.ts';
import { relationsNamed } from '../facts/sql-text.ts';

const ALONE = String.raw`(vacuum\b(?!\s*(?::=|[=.[]))|create\s+(?:unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\s+(?:\w+\s+)?concurrently|alter\s+system\b|create\s+database\b|drop\s+database\b|alter\s+table\s[^;']*\bdetach\s+partition\s[^;']*\bconcurrently)`;
const FIRST = new RegExp(String.raw`^\s*${ALONE}`, 'i');

/** The statement a function runs that PostgreSQL takes at the top level alone. */
export function runsAlone({ statements, executed }: Routine): string | undefined {
  const run = [...statements.flatMap(({ text, kind }) => (kind === 'statement' ? text : [])), ...executed];
  return run.map((text) => FIRST.exec(text)?.[1]).find((found) => found !== undefined);
}

export const statementCannotRunInFunction: TrapCheck = {
  code: 'HT317',
  name: 'statement-cannot-run-in-function',
  title: 'A function runs a statement that PostgreSQL takes at the top level alone',
  severity: 'error',
  traps: ['B4-33', 'BX-24', 'B2-05'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      const found = runsAlone(routine);
      if (found === undefined) return [];
      const statement = found
        .replaceAll(/\s+/g, ' ')
        .toUpperCase()
        .replace(/^(ALTER) TABLE .*$/, '$1 TABLE … DETACH PARTITION … CONCURRENTLY');
      return {
        subject: routineSubject(routine),
        what: `It runs ${statement}.`,
        effect: `Every call fails: ${statement.replace(' UNIQUE', '')} cannot be executed from a function.`,
        mend: [],
        advice:
          'Send it as a statement of its own from the scheduler, one for each table, outside a transaction.',
      };
    });
  },
  page: {
    what: 'A maintenance function that loops over tables and executes `VACUUM ANALYZE`, or `CREATE INDEX CONCURRENTLY`, `ALTER SYSTEM`, `DETACH PARTITION … CONCURRENTLY`.',
    effect:
      '`VACUUM cannot be executed from a function`; two such statements in one command of psql or pg_cron count as one transaction and fail too: `VACUUM cannot run inside a transaction block`. ANALYZE may run in a function, but keeps a lock on every table to the end.',
    mend: 'Top-level statements from the scheduler, one table each.',
  },
};

const MADE =
  /\b(?:create\s+(?:temp\w*\s+|unlogged\s+|local\s+|global\s+)*table|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?:materialized\s+)?view)\s+(?:if\s+not\s+exists\s+)?(?:"?[\w$]+"?\s*\.\s*)?"?([\w$]+)"?/gi;
const TARGET =
  /\b(?:insert\s+into|delete\s+from)\s+(?:only\s+)?((?:"[^"]+"|[a-z_]\w*)(?:\s*\.\s*(?:"[^"]+"|[a-z_]\w*))?)(?![\w.$"%])/gi;
const COMMON = /\b([a-z_]\w*)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(/gi;
const PARTITION_OF =
  /\bpartition\s+of\s+((?:"[^"]+"|[a-z_]\w*)(?:\s*\.\s*(?:"[^"]+"|[a-z_]\w*))?)(?![\w.$"%])/gi;

// By the catalogue, which asks for no right on the schema.
const THERE_SQL = `
  SELECT r.written, EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = r.name AND (r.schema = '' OR n.nspname = r.schema) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AS there
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
                  pg_catalog.unnest($3::pg_catalog.text[])) r(written, schema, name)`;

export const functionNamesMissingRelation: TrapCheck = {
  code: 'HT318',
  name: 'function-names-missing-relation',
  title: 'A function names a table that is not there',
  severity: 'error',
  traps: ['B4-05', 'BX-18', 'B4-29'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const made = new Set(
      all.flatMap(({ body }) => [...body.matchAll(MADE)].map(([, name = '']) => name.toLowerCase())),
    );
    const named = all.map((routine) => ({ routine, names: targetsOf(routine, made) }));
    const missing = await absent(
      context,
      named.flatMap(({ names }) => names),
    );
    return named.flatMap(({ routine, names }): Draft | readonly Draft[] => {
      const [first] = names.filter((name) => missing.has(name));
      if (first === undefined) return [];
      return {
        subject: routineSubject(routine),
        what: `It names ${first}, and there is no such relation.`,
        effect: `Every call that gets there fails: relation "${first.replaceAll('"', '')}" does not exist.`,
        mend: [],
        advice:
          'PL/pgSQL looks a table up when the statement runs, not when the function is made. Make the table, or drop the function.',
      };
    });
  },
  page: {
    what: 'A function inserts into `archive.agent_outputs`, or makes partitions of a table, that was never created or was dropped.',
    effect:
      'CREATE FUNCTION accepts it: PL/pgSQL resolves names when a statement runs. The job that calls it fails at every run: `relation "archive.agent_outputs" does not exist`.',
    mend: 'Create the table from the same definition as its source, or drop the function and its job.',
  },
};

// Names with a schema anywhere, and targets of INSERT and DELETE; what some function makes is not missed.
function targetsOf(routine: Routine, made: ReadonlySet<string>): readonly string[] {
  const code = routine.code;
  // Who asks whether it is there, or catches that it is not, has thought of it.
  if (/\bpg_extension\b|\bto_reg\w+\b|\bexception\s+when\b/i.test(code)) return [];
  const own = new Set([...code.matchAll(COMMON)].map(([, name = '']) => name.toLowerCase()));
  const qualified = relationsNamed(code)
    .filter(
      ({ schema }) =>
        schema !== undefined && !/^(pg_|information_schema|cron$|new$|old$|excluded$)/.test(schema),
    )
    .map(({ schema = '', name }) => `${quoted(schema)}.${quoted(name)}`);
  const targets = [...code.matchAll(TARGET)].map(([, name = '']) => written(name));
  const parents = routine.executed.flatMap((text) =>
    [...text.matchAll(PARTITION_OF)].map(([, name = '']) => written(name)),
  );
  return [...[...new Set(qualified)].filter((name) => declares(code, name)), ...targets, ...parents].filter(
    (name) => {
      const last = name.split('.').at(-1)?.replaceAll('"', '') ?? '';
      return !made.has(last) && !own.has(last) && !/^(new|old)\./.test(name);
    },
  );
}

// `FROM r.items` may be a field of a record: only what is surely a schema counts, a name no DECLARE or FOR gives.
function declares(code: string, name: string): boolean {
  const first = (name.split('.')[0] ?? '').replaceAll('"', '');
  return !new RegExp(
    String.raw`(?:\bfor\s+|\bdeclare\s+|;\s*|\bas\s+|\(\s*|,\s*)${first}\s+(?:in\b|record\b|\w+%)|\b(?:from|join)\s+[\w."]+\s+(?:as\s+)?${first}\b`,
    'i',
  ).test(code);
}

function written(name: string): string {
  return name
    .split(/\s*\.\s*/)
    .map((part) => (part.startsWith('"') ? part : part.toLowerCase()))
    .join('.');
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** Which of the names, quoted where they must be, no relation has; a name without a schema may be in any. */
export async function absent({ query }: TrapContext, names: readonly string[]): Promise<ReadonlySet<string>> {
  const all = [...new Set(names)];
  const parts = all.map((name) => name.split('.').map((part) => part.replaceAll('"', '')));
  const rows = await query<{ written: string; there: boolean }>(THERE_SQL, [
    all,
    parts.map((part) => (part.length > 1 ? (part[0] ?? '') : '')),
    parts.map((part) => part.at(-1) ?? ''),
  ]);
  return new Set(rows.filter(({ there }) => !there).map(({ written: name }) => name));
}

const NAME = String.raw`((?:"[^"]+"|[a-z_]\w*)(?:\.(?:"[^"]+"|[a-z_]\w*))?)`;
const MOVES = new RegExp(
  String.raw`\binsert\s+into\s+${NAME}[^;]*?\bselect\b([^;]*?)\bfrom\s+${NAME}([^;]*);[\s\S]*?\bdelete\s+from\s+(?:only\s+)?\3\b([^;]*)`,
  'i',
);

export const archiveLosesRows: TrapCheck = {
  code: 'HT319',
  name: 'archive-loses-rows',
  title: 'Rows are copied by one statement and deleted by another',
  severity: 'warning',
  traps: ['B4-06'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      const found = MOVES.exec(routine.code);
      if (found === null) return [];
      const [, to = '', columns = '', from = '', where = '', deleting = ''] = found;
      // Held rows, a lock on the table, or a second statement bound to what the first has copied.
      if (/\bfor\s+(no\s+key\s+)?update\b/i.test(where) || /\block\s+table\b/i.test(routine.code)) return [];
      if (deleting.toLowerCase().includes(to.toLowerCase())) return [];
      const star = /^\s*\*\s*$/.test(columns);
      return {
        subject: routineSubject(routine),
        what: `It copies rows of ${from} into ${to} and then deletes from ${from} by a condition of its own${star ? ', copying SELECT *' : ''}.`,
        effect: `A row that is committed between the two and meets the condition is deleted and was never copied.${star ? ' With SELECT * another order of columns puts values into the wrong ones, and one column more fails it.' : ''}`,
        mend: [],
        advice: `WITH moved AS (DELETE FROM ${from} WHERE … RETURNING columns) INSERT INTO ${to} (columns) SELECT columns FROM moved: one statement, in batches.`,
      };
    });
  },
  page: {
    what: '`INSERT INTO archive.t SELECT * FROM t WHERE created_at < cutoff; DELETE FROM t WHERE created_at < cutoff;`.',
    effect:
      'Under READ COMMITTED the second statement sees rows the first did not: a back-dated row committed in between was deleted and not archived. `SELECT *` depends on the order of columns: values end up in the wrong ones without an error where types allow it.',
    mend: '`WITH moved AS (DELETE … RETURNING a, b) INSERT INTO archive.t (a, b) SELECT a, b FROM moved`, or detach the whole partition.',
  },
};
