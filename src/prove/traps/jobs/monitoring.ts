// HT405 to HT408: what looks at the server and does not see it.
import { qualified } from '../../../sql.ts';
import type { Draft, Rewrite, TrapCheck, TrapContext } from '../check.ts';
import { definitions, withBody } from '../facts/definitions.ts';
import { routines, routineSubject, type Routine } from '../facts/functions.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';
import { callsOf, relationsNamed, replacedInCode, withoutText } from '../facts/sql-text.ts';
import { views } from '../facts/views.ts';

interface Gone {
  readonly view: RegExp;
  /** Relations beside it that do have the column. */
  readonly unless?: RegExp;
  /** Columns, as alternatives of a pattern. */
  readonly columns: string;
  readonly instead: string;
  readonly from?: number;
}

const GONE: readonly Gone[] = [
  {
    view: /\bpg_stat(?:io)?_(?:user|all|sys)_indexes\b/i,
    unless: /\bpg_(?:indexes|tables)\b/i,
    columns: 'tablename|indexname',
    instead: 'relname and indexrelname',
  },
  {
    view: /\bpg_stat(?:io)?_(?:user|all|sys)_tables\b/i,
    unless: /\bpg_(?:indexes|tables|stats)\b/i,
    columns: 'tablename',
    instead: 'relname',
  },
  {
    view: /\bpg_stat_bgwriter\b/i,
    unless: /\bpg_stat_checkpointer\b/i,
    columns:
      'checkpoints_timed|checkpoints_req|checkpoint_write_time|buffers_checkpoint|buffers_backend(?:_fsync)?',
    instead: 'pg_stat_checkpointer and pg_stat_io',
    from: 170_000,
  },
  {
    view: /\bpg_stat_statements\b/i,
    columns: '(?:total|min|max|mean|stddev)_time',
    instead: 'total_exec_time and its like',
  },
];

interface Missed {
  readonly view: string;
  readonly column: string;
  /** As PostgreSQL names it in its error. */
  readonly error: string;
}

/** A column that a statement reads of the view and that the view does not have. */
function missedIn(
  statement: string,
  gone: Gone,
  { arguments: given, statements }: Routine,
): Missed | undefined {
  const view = gone.view.exec(statement)?.[0];
  if (view === undefined || gone.unless?.test(statement) === true) return undefined;
  // Columns that are written to are another table's.
  const read = statement.replace(/\binsert\s+into\s+[\w$."]+\s*\([^()]*\)/i, ' ');
  const alias = new RegExp(
    String.raw`${view}\s+(?:as\s+)?(?!where|join|on|order|group|limit|left|cross|inner|union)(\w+)`,
    'i',
  );
  const names = [view, alias.exec(read)?.[1] ?? view].map((name) => name.toLowerCase());
  const pattern = new RegExp(
    String.raw`(?<![\w$."])(?:(\w+)\s*\.\s*)?(${gone.columns})\b(?!\s*[("=.])`,
    'gi',
  );
  const found = [...read.matchAll(pattern)].find(([, of, column = '']) => {
    // Named in the statement itself, as an output or of another relation: it may be that.
    if (new RegExp(String.raw`\bas\s+${column}\b`, 'i').test(read)) return false;
    if (of !== undefined) return names.includes(of.toLowerCase());
    const variable = new RegExp(String.raw`(?:^|,)\s*(?:in\s+|out\s+|inout\s+)?${column}\s`, 'i');
    const declared = statements.some(({ text, kind }) => kind === 'declaration' && variable.test(text));
    return relationsNamed(read).length < 2 && !variable.test(given) && !declared;
  });
  const [, of, column] = found ?? [];
  if (column === undefined) return undefined;
  return { view, column, error: of === undefined ? `column "${column}"` : `column ${of}.${column}` };
}

export const monitoringReadsMissingColumn: TrapCheck = {
  code: 'HT405',
  name: 'monitoring-reads-missing-column',
  title: 'A function reads a column that statistics views do not have',
  severity: 'error',
  traps: ['BX-29', 'B2-07'],
  find: async ({ facts, versionNumber }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine) =>
      GONE.flatMap((gone): Draft | readonly Draft[] => {
        const { statements, executed } = routine;
        const found = [...statements.map(({ text }) => text), ...executed]
          .map((text) => missedIn(withoutText(text), gone, routine))
          .find((one) => one !== undefined);
        if (versionNumber < (gone.from ?? 0) || found === undefined) return [];
        return {
          subject: routineSubject(routine),
          what: `It reads ${found.column} of ${found.view}.`,
          effect: `Every call fails: ${found.error} does not exist.`,
          mend: [],
          advice: `Read ${gone.instead}.`,
        };
      }),
    );
  },
  page: {
    what: 'A function reads `tablename` of pg_stat_user_indexes, or checkpoint counters of pg_stat_bgwriter on 17 and later.',
    effect:
      '`column "tablename" does not exist`: the view has relname and indexrelname. The counters of checkpoints moved to pg_stat_checkpointer in 17: `column "checkpoints_timed" does not exist`.',
    mend: '`SELECT relname AS "table", indexrelname AS "index" FROM pg_stat_user_indexes`.',
  },
};

// The view's text as PostgreSQL writes it, and a function's as it was written.
const SIZES = 'pg_total_relation_size|pg_relation_size|pg_table_size|pg_indexes_size';
const JOINED_BY_DOT = /\|\|\s*'\.'/;
// The nearest bracket that closes the call stands behind the cast.
const SIZE_IN_VIEW = /\bpg_\w*size\([^;,]{0,200}?\|\| '\.'::text[^;,]{0,200}?::regclass/;
const QUOTED = /quote_ident|%I/i;
const VIEW_PART = /\((?:\w+\.)?(schemaname|tablename|relname|nspname|table_schema|table_name)\)::text/g;
const CODE_PAIR =
  /\b((?:\w+\.)?(?:schemaname|nspname|table_schema))\s*\|\|\s*'\.'\s*\|\|\s*((?:\w+\.)?(?:tablename|relname|table_name))\b/gi;
const PLAIN = /^[a-z_][a-z0-9_$]*$/;

export const sizeOfUnquotedName: TrapCheck = {
  code: 'HT406',
  name: 'size-of-unquoted-name',
  title: 'Sizes are asked for by a name put together without quotes',
  severity: 'warning',
  traps: ['BX-30'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const odd = all.find(
      ({ kind, name, schema }) => (kind === 'r' || kind === 'p') && !(PLAIN.test(name) && PLAIN.test(schema)),
    );
    const say = (subject: string, rewrite: Rewrite): Draft => ({
      subject,
      what: "It asks for the size of schemaname || '.' || tablename.",
      effect:
        odd === undefined
          ? 'The first table whose name has a capital letter or a space fails the whole query: relation does not exist, or invalid name syntax. Partitioned tables show 0 bytes.'
          : `The whole query fails because of ${odd.schema}.${odd.name}: ${/\s|-/.test(odd.name) ? 'invalid name syntax' : `relation "${odd.schema}.${odd.name.toLowerCase()}" does not exist`}.`,
      mend: [],
      rewrite,
      advice:
        'Better from pg_class by oid: pg_table_size(oid), pg_indexes_size(oid), and pg_partition_tree for the sum of partitions.',
      ...(odd === undefined ? {} : { severity: 'error' as const }),
    });
    return [...(await ofViews(context, say)), ...(await ofFunctions(context, say))];
  },
  page: {
    what: "`pg_total_relation_size(schemaname || '.' || tablename)` over pg_tables.",
    effect:
      'The text is read as a name: without quotes it is folded to small letters. One table with a capital letter fails the whole query (`relation "public.mixedcase" does not exist`), one with a space too (`invalid name syntax`). Partitioned tables show 0 bytes, and total minus main is not the size of indexes: TOAST is in it.',
    mend: "`quote_ident(schemaname) || '.' || quote_ident(tablename)`, or by oid from pg_class.",
  },
};

type Say = (subject: string, rewrite: Rewrite) => Draft;

async function ofViews({ facts }: TrapContext, say: Say): Promise<readonly Draft[]> {
  const { all } = await facts(relations);
  const known = await facts(views);
  return all.flatMap((view) => {
    const text = known.get(view.oid)?.definition ?? '';
    if (!SIZE_IN_VIEW.test(text) || QUOTED.test(text)) return [];
    if (view.kind !== 'v') return [];
    const options = view.options.length === 0 ? '' : ` WITH (${view.options.join(', ')})`;
    return [
      say(relationSubject(view), {
        text: `CREATE OR REPLACE VIEW ${qualified(view)}${options} AS ${text.replace(/;\s*$/, '')}`,
        change: (now) => now.replaceAll(VIEW_PART, (part) => `quote_ident(${part})`),
      }),
    ];
  });
}

async function ofFunctions(context: TrapContext, say: Say): Promise<readonly Draft[]> {
  const { all } = await context.facts(routines);
  const bad = all.filter(({ body, executed }) =>
    [body, ...executed].some((text) =>
      callsOf(text, SIZES).some(({ parts: [name = ''] }) => JOINED_BY_DOT.test(name) && !QUOTED.test(name)),
    ),
  );
  const definition = await definitions(context, bad);
  return bad.map((routine) =>
    say(routineSubject(routine), {
      text: definition(routine),
      change: (now) =>
        withBody(now, (body) =>
          replacedInCode(
            body,
            CODE_PAIR,
            ([, schema, table]) => `quote_ident(${schema}) || '.' || quote_ident(${table})`,
          ),
        ),
    }),
  );
}

const STATEMENTS_SQL = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE x.extname = 'pg_stat_statements') AS made,
         pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL AS loaded`;

export const statementsNotPreloaded: TrapCheck = {
  code: 'HT407',
  name: 'statements-not-preloaded',
  title: 'pg_stat_statements is used and not there',
  severity: 'error',
  traps: ['BX-31'],
  find: async ({ facts, query }) => {
    const [state] = await query<{ made: boolean; loaded: boolean }>(STATEMENTS_SQL);
    const { all } = await facts(routines);
    const advice =
      "Put pg_stat_statements into shared_preload_libraries, restart, and let a superuser run CREATE EXTENSION pg_stat_statements here; readers of others' statements need pg_read_all_stats.";
    if (state?.made === true && !state.loaded) {
      return [
        {
          subject: 'extension pg_stat_statements',
          what: 'It was created, and its library is not loaded.',
          effect:
            'Every SELECT from it fails: pg_stat_statements must be loaded via "shared_preload_libraries".',
          mend: [],
          advice,
        },
      ];
    }
    if (state?.made === true) return [];
    const reading = all.filter(
      (routine: Routine) =>
        /\bpg_stat_statements\b/i.test(routine.runs.join(' ')) &&
        !/\bpg_extension\b|\bto_regclass\b|\bexception\s+when\b/i.test(routine.code),
    );
    return reading.map((routine): Draft => ({
      subject: routineSubject(routine),
      what: 'It reads pg_stat_statements, which is not in this database.',
      effect: 'Every call fails: relation "pg_stat_statements" does not exist.',
      mend: [],
      advice,
    }));
  },
  page: {
    what: 'CREATE EXTENSION pg_stat_statements without the library in shared_preload_libraries; or functions that read it where it was never created.',
    effect:
      '`pg_stat_statements must be loaded via "shared_preload_libraries"`, or `relation "pg_stat_statements" does not exist`. Creating it needs a superuser: `permission denied to create extension`.',
    mend: 'Add it to shared_preload_libraries, restart, create the extension as superuser.',
  },
};

export const statementsOfAllDatabases: TrapCheck = {
  code: 'HT408',
  name: 'statements-of-all-databases',
  title: "A view of slow statements mixes all databases' statements",
  severity: 'info',
  traps: ['BX-31'],
  find: async ({ facts }) => {
    const { all } = await facts(relations);
    const known = await facts(views);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const text = known.get(view.oid)?.definition ?? '';
      if (!/\bpg_stat_statements\b(?!_info)/.test(text) || /\bdbid\b/.test(text)) return [];
      return {
        subject: relationSubject(view),
        what: 'It reads pg_stat_statements without asking for dbid.',
        effect:
          "Statements of every database of the server are in it; a reader without pg_read_all_stats sees <insufficient privilege> for others' statements, through the view too.",
        mend: [],
        advice:
          'Add WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()), and let a role of pg_monitor read it.',
      };
    });
  },
  page: {
    what: 'A view over pg_stat_statements without a condition on dbid.',
    effect:
      "pg_stat_statements holds the statements of the whole server. Others' statements show as `<insufficient privilege>` to roles outside pg_read_all_stats.",
    mend: '`WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`.',
  },
};
