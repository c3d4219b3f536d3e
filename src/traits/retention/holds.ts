// Legal holds: rows of a tenant, of a range of time or of both that nothing may take, whatever their age.
import { randomUUID } from 'node:crypto';
import type { Piece, TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { HELD } from './port.ts';
import type { Run } from './run.ts';
import { instantOf, type Terms } from './terms.ts';
import { subjectOf, timeOf, type Unit } from './unit.ts';

/** What is to be held. Without a tenant: every tenant's rows; without a range: rows of every age. */
export interface HoldRequest {
  /** Names the hold; default a random one. */
  readonly id?: string;
  /** Default: every table with a retention. */
  readonly table?: RelationName;
  readonly tenant?: string;
  /** The half-open range of time. */
  readonly from?: Date;
  readonly to?: Date;
  /** The case, for whoever finds the hold in years. */
  readonly why: string;
}

/** A hold that is in force. */
export interface Hold {
  readonly id: string;
  /** `table shop.orders`, or {@link EVERY_TABLE}. */
  readonly subject: string;
  readonly tenant: string | null;
  readonly from: Date | null;
  readonly to: Date | null;
  readonly why: string;
  /** The keeper's clock when it was placed; null where another writer did not say. */
  readonly since: Date | null;
}

const DAY_MS = 86_400_000;

/** Why a range is held that was put back out of the archive: so that no run takes it again, and for no case. */
export const PUT_BACK = 'put back by holdfast archive restore';

/** The subject of holds on all tables. */
export const EVERY_TABLE = 'every table';

/**
 * Whoever takes rows for good holds this shared until it commits, and a hold is placed under it alone: once
 * {@link placeHold} has returned, nothing that it names is taken any more.
 */
const LOCK_SQL = `SELECT pg_catalog.pg_advisory_xact_lock(1212501068, pg_catalog.hashtext($1))`;
const LOCK_SHARED_SQL = `SELECT pg_catalog.pg_advisory_xact_lock_shared(1212501068, pg_catalog.hashtext($1))`;

/**
 * Holds rows. It waits for the batch at hand, for at most the lock timeout.
 * A partition leaves whole, so one that has a held row stays whole; rows that leave one by one stay one by one. Files of
 * the archive stay where their range meets the hold's, whatever the tenant. Where a table has no tenant column, a hold on
 * a tenant holds all of it.
 * @throws HoldfastError HF_HOLD_EXISTS when a hold of that name is there, HF_HOLD_RANGE when the range is empty,
 *   HF_HOLD_TABLE when the definition has no such table: the hold would hold nothing
 */
export async function placeHold(context: TaskContext, request: HoldRequest): Promise<Hold> {
  const { from, to, table } = request;
  const hold: Hold = {
    id: request.id ?? randomUUID(),
    subject: table === undefined ? EVERY_TABLE : subjectOf(table),
    tenant: request.tenant ?? null,
    from: from ?? null,
    to: to ?? null,
    why: request.why,
    since: context.now,
  };
  if (from !== undefined && to !== undefined && from >= to) {
    throw new HoldfastError({
      code: 'HF_HOLD_RANGE',
      subject: `hold ${hold.id}`,
      what: `its range ends ${to.toISOString()} and begins ${from.toISOString()}.`,
      fix: 'Give a range that begins before it ends.',
    });
  }
  refuseUnknown(context, table);
  await context.session.transaction(async (query) => {
    await query(LOCK_SQL, [context.model.name]);
    if (
      (await context.pieces.list(undefined, query)).some((piece) => isHold(piece) && piece.piece === hold.id)
    ) {
      throw new HoldfastError({
        code: 'HF_HOLD_EXISTS',
        subject: `hold ${hold.id}`,
        what: 'a hold of that name is in force.',
        fix: 'Release it first, or give this one another name.',
      });
    }
    await context.pieces.put(query, asPiece(hold), null);
  });
  return hold;
}

function refuseUnknown({ model }: TaskContext, table: RelationName | undefined): void {
  if (table === undefined || model.tables.some((one) => label(one) === label(table))) return;
  throw new HoldfastError({
    code: 'HF_HOLD_TABLE',
    subject: subjectOf(table),
    what: 'the definition has no such table; nothing would be held.',
    fix: 'Name a table of the definition with its schema, or leave the table out to hold rows of every table.',
  });
}

/**
 * Ends a hold: the next run takes what was due meanwhile.
 * @throws HoldfastError HF_HOLD_UNKNOWN when there is none of that name
 */
export async function releaseHold(context: TaskContext, id: string): Promise<void> {
  const found = (await context.pieces.list()).find((piece) => isHold(piece) && piece.piece === id);
  if (found === undefined) {
    throw new HoldfastError({
      code: 'HF_HOLD_UNKNOWN',
      subject: `hold ${id}`,
      what: 'no hold of that name is in force.',
      fix: 'List the holds and give the name of one.',
    });
  }
  await context.session.transaction((query) => context.pieces.remove(query, found));
}

/** Every hold in force. */
export async function holds(context: Pick<TaskContext, 'pieces'>): Promise<readonly Hold[]> {
  return (await context.pieces.list()).filter(isHold).map(fromPiece);
}

/** The holds on a table, read so that no other is placed before the caller's transaction ends. */
export async function holdsUntilCommit(run: Run, query: CatalogueQuery): Promise<readonly Hold[]> {
  await query(LOCK_SHARED_SQL, [run.context.model.name]);
  return holdsAmong(run.terms, await run.context.pieces.list(undefined, query));
}

/** The holds on a table as they are now: enough to leave something where it is. */
export async function holdsNow(run: Run): Promise<readonly Hold[]> {
  return holdsAmong(run.terms, await run.context.pieces.list());
}

/** Whether a part must stay whole: a hold meets its range, and it has a row of the hold's tenant, or may have one. */
export async function isHeld(
  query: CatalogueQuery,
  terms: Terms,
  by: {
    readonly holds: readonly Hold[];
    readonly unit: Pick<Unit, 'from' | 'to' | 'table'>;
    readonly inFile?: boolean;
  },
): Promise<boolean> {
  for (const hold of by.holds) {
    if (!meets(hold, by.unit)) continue;
    if (hold.tenant === null || terms.tenant === undefined || by.inFile === true) return true;
    const condition = heldRows([hold], { terms, values: [] });
    const [row] = await query<{ held: boolean }>(
      `SELECT EXISTS (SELECT FROM ${qualified(by.unit.table)} t WHERE ${condition.sql}) AS held`,
      condition.values,
    );
    if (row?.held === true) return true;
  }
  return false;
}

/** A condition on rows `t` that is true for those under a hold; its values stand after the given ones. */
export function heldRows(
  held: readonly Hold[],
  { terms, values }: { readonly terms: Terms; readonly values: readonly unknown[] },
): { readonly sql: string; readonly values: readonly unknown[] } {
  const all = [...values];
  const value = (one: unknown): string => `$${all.push(one)}`;
  const by = `t.${ident(terms.by)}`;
  const conditions = held.map((hold) => {
    const parts = [
      ...(hold.from === null ? [] : [`${by} >= ${value(instantOf(terms, hold.from))}::${terms.type}`]),
      ...(hold.to === null
        ? []
        : [`${by} < ${value(instantOf(terms, endOf(terms, hold.to)))}::${terms.type}`]),
      ...(hold.tenant === null || terms.tenant === undefined
        ? []
        : [`t.${ident(terms.tenant)}::text = ${value(hold.tenant)}`]),
    ];
    return parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`;
  });
  return { sql: conditions.length === 0 ? 'false' : `(${conditions.join(' OR ')})`, values: all };
}

/** A date stands for its whole day: a hold that ends within it holds it. */
function endOf(terms: Terms, to: Date): Date {
  return terms.type === 'date' ? new Date(Math.ceil(to.getTime() / DAY_MS) * DAY_MS) : to;
}

function meets(hold: Hold, unit: Pick<Unit, 'from' | 'to'>): boolean {
  return timeOf(hold.from) < unit.to.getTime() && (hold.to === null || hold.to.getTime() > timeOf(unit.from));
}

/** The holds on a table among the pieces of the ledger. */
export function holdsAmong(terms: Terms, pieces: readonly Piece[]): readonly Hold[] {
  const subjects = [EVERY_TABLE, subjectOf(terms.of)];
  return pieces.filter((piece) => isHold(piece) && subjects.includes(piece.subject)).map(fromPiece);
}

function isHold(piece: Piece): boolean {
  return piece.state === HELD;
}

function asPiece(hold: Hold): Piece {
  return {
    subject: hold.subject,
    piece: hold.id,
    state: HELD,
    detail: {
      tenant: hold.tenant,
      from: hold.from?.toISOString() ?? null,
      to: hold.to?.toISOString() ?? null,
      why: hold.why,
      since: hold.since?.toISOString() ?? null,
    },
  };
}

function fromPiece(piece: Piece): Hold {
  const detail = piece.detail as Readonly<Record<string, string | null | undefined>>;
  return {
    id: piece.piece,
    subject: piece.subject,
    tenant: detail['tenant'] ?? null,
    from: instantFrom(detail['from']),
    to: instantFrom(detail['to']),
    why: detail['why'] ?? '',
    since: instantFrom(detail['since']),
  };
}

function instantFrom(text: string | null | undefined): Date | null {
  return text == null ? null : new Date(text);
}
