// One run of a retention over one table: what it is given, how it moves a part from state to state, what it tells.
import type { Done, TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { attachedTo, sizeOf, standingOf } from './catalogue.ts';
import { LEAVING, leavingFunction } from './build.ts';
import type { Terms } from './terms.ts';
import { asPiece, type Tally, TALLY, tallyOf, subjectOf, type Unit, unitsOf } from './unit.ts';

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 200;

/** A run: the promise, the context, and what has been done so far. */
export interface Run {
  readonly context: TaskContext;
  readonly terms: Terms;
  readonly told: {
    rows: number;
    bytes: number;
    readonly lines: string[];
    readonly failures: unknown[];
    /** Parts that failed in this run: what was in their way still is. */
    readonly failed: Set<string>;
  };
}

/** Begins a run. */
export function openRun(context: TaskContext, terms: Terms): Run {
  return { context, terms, told: { rows: 0, bytes: 0, lines: [], failures: [], failed: new Set() } };
}

/**
 * Ends a run.
 * @throws HoldfastError HF_RETENTION_STUCK when parts could not be moved on; those that could have been
 */
export function closeRun(run: Run): Done {
  const { rows, bytes, lines, failures } = run.told;
  if (failures.length > 0) {
    const said = failures.map((one) => (one instanceof Error ? one.message : String(one)));
    throw new HoldfastError({
      code: 'HF_RETENTION_STUCK',
      subject: subjectOf(run.terms.of),
      what: `${failures.length === 1 ? 'one part' : `${failures.length} parts`} of it could not leave: ${said.join('; ')}`,
      fix: 'The next run goes on from there; nothing is lost meanwhile.',
      cause: failures[0],
    });
  }
  return { rows, bytes, ...(lines.length > 0 && { what: lines.join('; ') }) };
}

/** Whether the run is to stop before its next step. */
export function stopping(run: Run): boolean {
  return run.context.signal.aborted;
}

/** Runs one step; what one part suffers stops no other, but a lost connection or lease stops them all. */
export async function attempt(run: Run, step: () => Promise<void>, part?: string): Promise<void> {
  if (part !== undefined && run.told.failed.has(part)) return;
  try {
    await step();
  } catch (error) {
    if (endsRun(error)) throw error;
    run.told.failures.push(error);
    if (part !== undefined) run.told.failed.add(part);
  }
}

const OWN_ENDS = new Set(['HF_LEASE_LOST', 'HF_ABORTED', 'HF_PIECE_MOVED']);

function endsRun(error: unknown): boolean {
  if (error instanceof HoldfastError) return OWN_ENDS.has(error.code);
  const code = sqlstate(error);
  return code === undefined || code.startsWith('08') || code.startsWith('57P');
}

/** The SQLSTATE of an error of the server. */
export function sqlstate(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Lock timeout, deadlock, serialisation: the same statement may succeed a moment later. */
export function passes(error: unknown): boolean {
  return ['55P03', '40P01', '40001'].includes(sqlstate(error) ?? '');
}

/** Runs something again, after a pause that grows, while it fails for reasons that pass. */
export async function patiently<T>(run: Run, work: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error) || attempts >= ATTEMPTS || stopping(run)) throw error;
    }
    await run.context.pause(FIRST_PAUSE_MS * 2 ** (attempts - 1));
  }
}

/**
 * A transaction that sees every tenant's rows, or fails: under forced row security a role without BYPASSRLS would
 * otherwise find nothing to move and call that success.
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
 */
export async function unfiltered<T>(run: Run, work: (query: CatalogueQuery) => Promise<T>): Promise<T> {
  return patiently(run, () =>
    run.context.session.transaction(async (query) => {
      await query('SET LOCAL row_security = off');
      return work(query);
    }),
  );
}

/** The parts of the run's table, as the ledger has them. */
export async function unitsNow(run: Run, query?: CatalogueQuery): Promise<readonly Unit[]> {
  return unitsOf(run.terms, await run.context.pieces.list(subjectOf(run.terms.of), query));
}

/** Moves a part to another state together with its effect; gives it as it is then. */
export async function move(
  run: Run,
  unit: Unit,
  step: {
    readonly to: Partial<Omit<Unit, 'key' | 'since'>> & Pick<Unit, 'state'>;
    /** Runs in the same transaction; may say where the rows are afterwards. */
    readonly effect?: (query: CatalogueQuery) => Promise<Pick<Unit, 'table'> | void>;
  },
): Promise<Unit> {
  const moved = await unfiltered(run, async (query) => {
    const found = await step.effect?.(query);
    const next: Unit = { ...unit, ...step.to, ...found, since: run.context.now };
    await run.context.pieces.put(query, asPiece(run.terms, next), unit.state);
    return next;
  });
  run.context.tell(`${label(moved.table)}: ${moved.state}`);
  return moved;
}

/** Adds to the tally, in the caller's transaction. */
export async function count(run: Run, query: CatalogueQuery, more: Partial<Tally>): Promise<void> {
  const subject = subjectOf(run.terms.of);
  const so = tallyOf(run.terms, await run.context.pieces.list(subject, query));
  const detail: Tally = {
    moved: so.moved + (more.moved ?? 0),
    deleted: so.deleted + (more.deleted ?? 0),
    unvacuumed: so.unvacuumed + (more.unvacuumed ?? 0),
    referenced: more.referenced ?? so.referenced,
  };
  await run.context.pieces.put(query, { subject, piece: TALLY, state: 'counting', detail: { ...detail } });
}

/** Closes a table against rows that would be written to it. It takes SHARE ROW EXCLUSIVE on it alone: readers go on. */
export async function close(run: Run, query: CatalogueQuery, table: RelationName): Promise<void> {
  const trigger = ident(LEAVING);
  await query(
    `CREATE OR REPLACE TRIGGER ${trigger} BEFORE INSERT OR UPDATE ON ${qualified(table)} FOR EACH ROW EXECUTE FUNCTION ${qualified(leavingFunction(run.terms.of))}()`,
  );
  await query(`ALTER TABLE ${qualified(table)} ENABLE ALWAYS TRIGGER ${trigger}`);
}

/** Takes {@link close} back. */
export async function reopen(query: CatalogueQuery, table: RelationName): Promise<void> {
  await query(`DROP TRIGGER IF EXISTS ${ident(LEAVING)} ON ${qualified(table)}`);
}

/**
 * Detaches a partition without stopping a reader or writer of its parent. It runs outside transactions, so the ledger
 * cannot commit with it: the catalogue says whether it was done, and an interrupted one is finished first, since it
 * blocks every other. It waits for transactions that use the parent, each time as long as the lock timeout.
 * @see https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
 */
export async function detach(run: Run, table: RelationName, parent: RelationName): Promise<void> {
  const { session } = run.context;
  const waited = async (cause: unknown): Promise<never> => {
    throw passes(cause) ? await waiting(run, { table, parent, cause }) : cause;
  };
  await patiently(run, async () => {
    const standing = await standingOf(session.query, table, parent);
    if (standing === 'apart' || standing === 'missing') return;
    const others = await attachedTo(session.query, parent, run.terms.type);
    const begun = others.find((one) => one.pending && label(one) !== label(table));
    if (begun !== undefined) await detachBy(run, { table: begun, parent, how: 'FINALIZE' });
    await detachBy(run, { table, parent, how: standing === 'pending' ? 'FINALIZE' : 'CONCURRENTLY' });
  }).catch(waited);
}

const OLDEST_USER_SQL = `
  SELECT a.pid, a.application_name AS application, a.xact_start::text AS since
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.relation = $1::text::pg_catalog.regclass AND l.granted AND a.pid <> pg_catalog.pg_backend_pid()
  ORDER BY a.xact_start LIMIT 1`;

async function waiting(
  run: Run,
  by: { readonly table: RelationName; readonly parent: RelationName; readonly cause: unknown },
): Promise<HoldfastError> {
  const { table, parent, cause } = by;
  const users = await run.context.session.query<{ pid: number; application: string; since: string }>(
    OLDEST_USER_SQL,
    [qualified(parent)],
  );
  const [user] = users;
  const who =
    user === undefined
      ? 'a transaction'
      : `session ${user.pid}${user.application === '' ? '' : ` (${user.application})`}, whose transaction began ${user.since},`;
  return new HoldfastError({
    code: 'HF_RETENTION_WAITING',
    subject: `partition ${label(table)}`,
    what: `${who} uses ${label(parent)} and does not end; the detach waits for it, and its rows are read in ${label(table)} meanwhile.`,
    fix: 'End that transaction; the next run goes on.',
    cause,
  });
}

async function detachBy(
  run: Run,
  by: { readonly table: RelationName; readonly parent: RelationName; readonly how: string },
): Promise<void> {
  const { table, parent, how } = by;
  await run.context.session.query(
    `ALTER TABLE ${qualified(parent)} DETACH PARTITION ${qualified(table)} ${how}`,
  );
}

/** What a table holds, counted while nobody can write to it: outside the transaction that moves or drops it. */
export async function measured(
  run: Run,
  unit: Unit,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const name = qualified(unit.table);
  return unfiltered(run, async (query) => {
    const [row] = await query<{ rows: string }>(`SELECT count(*) AS rows FROM ${name}`);
    return { rows: Number(row?.rows ?? 0), bytes: await sizeOf(query, name) };
  });
}

/** Attaches a table as the partition of a range; instants are text that every session reads alike. */
export async function attach(
  query: CatalogueQuery,
  table: RelationName,
  at: { readonly parent: RelationName; readonly from: string | null; readonly to: string },
): Promise<void> {
  const from = at.from === null ? 'MINVALUE' : literal(at.from).trim();
  await query(
    `ALTER TABLE ${qualified(at.parent)} ATTACH PARTITION ${qualified(table)} FOR VALUES FROM (${from}) TO (${literal(at.to).trim()})`,
  );
}
