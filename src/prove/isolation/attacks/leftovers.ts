// What a connection keeps when a transaction ends: the next request on it works for another owner and finds it.
import { ident, qualified } from '../../../sql.ts';
import type { World } from '../../rows/index.ts';
import { opening, settingsSql } from '../attacker.ts';
import { readable, seenThrough, settingsOf, stateOf, type Crew, type Stage } from '../stage.ts';
import {
  argumentsFrom,
  callSql,
  reachingOut,
  routineLabel,
  shownBy,
  withCallers,
  type Call,
} from './functions.ts';
import { DATABASE } from './standing.ts';

/** One way of keeping rows over the end of a transaction, as any client of PostgreSQL has it. */
interface Keeping {
  readonly name: string;
  readonly keep: (select: string) => string;
  readonly read: string;
  readonly end: string;
}

const KEPT = ident('holdfast kept');

/**
 * @see https://www.postgresql.org/docs/current/sql-declare.html a cursor WITH HOLD has read its rows when the transaction ends
 * @see https://www.postgresql.org/docs/current/sql-discard.html
 */
const KEEPING: readonly Keeping[] = [
  {
    name: 'a cursor WITH HOLD',
    keep: (select) => `DECLARE ${KEPT} CURSOR WITH HOLD FOR ${select}`,
    read: `FETCH ALL FROM ${KEPT}`,
    end: `CLOSE ${KEPT}`,
  },
  {
    name: 'a temporary table',
    keep: (select) => `CREATE TEMPORARY TABLE ${KEPT} AS ${select}`,
    read: `SELECT * FROM pg_temp.${KEPT}`,
    end: `DROP TABLE pg_temp.${KEPT}`,
  },
];

/**
 * Keeps an owner's rows over the end of its transaction and reads them as the next owner on the same connection. Any
 * database lets a session do so, the most correct one too: it is told, once, with what the pool has to do. What functions
 * of the database keep by themselves is the database's own doing, and crosses. Such calls are kept: it comes last.
 */
export async function attackLeftovers(stage: Stage): Promise<void> {
  const keeping = withCallers(stage.routines, ({ body }) => KEEPS.test(body));
  const outside = reachingOut(stage.routines);
  const kept = stage.routines.filter((one) => keeping.has(one) && !outside.has(one) && !one.trigger);
  for (const crew of stage.crews) {
    stage.checkpoint();
    for (const way of KEEPING) await keepRows(stage, { crew, way });
    for (const routine of kept) {
      if (routine.executors.includes(crew.role)) await keptByCall({ stage, crew, routine });
    }
  }
}

/** The first table whose rows are kept shows it; the others would alike. */
async function keepRows(stage: Stage, { crew, way }: { crew: Crew; way: Keeping }): Promise<void> {
  const [first, last] = stage.viewers;
  if (first === undefined || last === undefined) return;
  for (const target of stage.targets) {
    const may = (crew.rights.get(target.oid)?.select.length ?? 0) > 0;
    if (!may || stage.witness.rowsOf(target.root, first).length === 0) continue;
    stage.board.tried(DATABASE, 'next request');
    const select = `SELECT ${readable(crew, target)} FROM ${qualified(target)}`;
    await crew.session.run(`BEGIN; ${settingsSql(settingsOf(stage, first))} ${way.keep(select)}; COMMIT`);
    const seen = await crew.session.attempt(settingsOf(stage, last), [way.read]);
    await crew.session.run(way.end);
    if (seenThrough(stage, target, { seen, viewer: last }) === undefined) continue;
    stage.board.tell(DATABASE, 'next request');
    stage.board.say({
      subject: 'connections that are used again',
      severity: 'info',
      what: `${way.name} outlives its transaction: what a request leaves in it the next request on the connection reads, whoever that works for, on any PostgreSQL.`,
      fix: 'Let the pool run DISCARD ALL before it hands a connection on; behind a pooler that hands it on after each transaction, use neither WITH HOLD nor temporary tables without ON COMMIT DROP.',
    });
    return;
  }
}

// Temporary tables, and cursors that outlive their transaction, in a body.
const KEEPS = /\bTEMP(ORARY)?\b|\bpg_temp\b|\bWITH\s+HOLD\b/i;

const LEFT_SQL = `
  SELECT pg_catalog.format('FETCH ALL FROM %I', c.name) FROM pg_catalog.pg_cursors c WHERE c.is_holdable AND c.name <> ''
  UNION ALL
  SELECT pg_catalog.format('SELECT * FROM pg_temp.%I', t.relname) FROM pg_catalog.pg_class t
  WHERE t.relnamespace = pg_catalog.pg_my_temp_schema() AND t.relkind IN ('r', 'p', 'v', 'm')`;

/** Calls a function as one owner in a transaction that is kept, then as the next owner, and looks at what it left. */
async function keptByCall(call: Call): Promise<void> {
  const { stage, crew } = call;
  const [first, last] = stage.viewers;
  if (first === undefined || last === undefined) return;
  for (const [before, after] of [
    [first, last],
    [last, first],
  ] as const) {
    const calls = callsOf(call, before);
    for (const statement of calls) {
      const kept = `BEGIN; ${settingsSql(settingsOf(stage, before))} ${statement}; COMMIT`;
      const { error } = await crew.session.run(kept);
      if (error === undefined) await lookAfter(call, { before, after, statement });
      await crew.session.run('CLOSE ALL; DISCARD TEMP');
      if (error === undefined) break;
    }
  }
}

function callsOf({ stage, routine }: Pick<Call, 'stage' | 'routine'>, world: World): readonly string[] {
  return argumentsFrom(stage, { routine, world }).map((given) => callSql(routine, given));
}

interface After {
  readonly before: World;
  readonly after: World;
  /** What was called before. */
  readonly statement: string;
}

async function lookAfter(call: Call, { before, after, statement }: After): Promise<void> {
  const { stage, crew, routine } = call;
  const settings = settingsOf(stage, after);
  const left = await crew.session.run(LEFT_SQL);
  const found = (left.results[0]?.rows ?? []).flatMap(([sql]) => sql ?? []);
  const object = routineLabel(routine);
  for (const next of [...callsOf(call, after).slice(0, 1), ...found]) {
    stage.board.tried(object, 'next request');
    const seen = await crew.session.attempt(settings, [next]);
    const given = argumentsFrom(stage, { routine, world: after }).flat();
    const sent = [...given.filter((value) => value !== null), ...Object.values(settings)];
    const said = shownBy(stage, { seen, viewer: after, sent });
    if (said === undefined) continue;
    stage.board.cross({
      object,
      attack: 'next request',
      role: crew.role,
      state: `${stateOf(after)}, after ${stateOf(before)} on the same connection`,
      sql: [
        opening(crew),
        `BEGIN;\n${settingsSql(settingsOf(stage, before))}\n${statement};\nCOMMIT;`,
        `BEGIN;\n${settingsSql(settings)}\n${next};\nROLLBACK;`,
      ].join('\n'),
      said,
    });
    return;
  }
}
