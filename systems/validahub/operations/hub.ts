// What every operation is given: the way to the database, the clock and the cache.
import { sql } from 'drizzle-orm';
import { onErased, type Connected, type Listening, type Query, type Transaction } from 'holdfast/use';
import * as tables from '../tables/index.ts';
import { RuleCache } from './cache.ts';
import { risingIds } from './identity.ts';

/** A transaction over ValidaHub's tables. */
export type Tx = Transaction<typeof tables>;

/** The part of a connection the operations use: `connect(definition, url)` gives one. */
export type Sessions = Pick<Connected<typeof tables>, 'session'>;

/** An open ValidaHub. One for a process: the cache lives in it. */
export interface Hub {
  readonly sessions: Sessions;
  readonly now: () => Date;
  readonly cache: RuleCache;
  /** A new id, above all before it. */
  readonly nextId: () => string;
}

/** Opens ValidaHub over a connection. `now` is the clock of times that are stored and of what the cache forgets. */
export function openHub(sessions: Sessions, options: { readonly now?: () => Date } = {}): Hub {
  const now = options.now ?? (() => new Date());
  return { sessions, now, cache: new RuleCache(now), nextId: risingIds(now) };
}

/**
 * Makes a hub forget the rules it remembers whenever a tenant or a person was erased, in whichever process: without it they
 * are given out until they age. `url`: the server itself, as any role; a pooler carries no notifications.
 */
export function forgetErased(hub: Hub, url: string): Promise<Listening> {
  return onErased(url, () => hub.cache.clear());
}

/** Runs `work` in one transaction as the tenant, under row security; `query` is plain SQL in it. */
export function asTenant<Result>(
  hub: Hub,
  tenant: string,
  work: (tx: Tx, query: Query) => Promise<Result>,
): Promise<Result> {
  return hub.sessions.session({ tenant }).transaction(work);
}

/** One event of the audit trail. `actor` is a pseudonym; nothing in `details` names a person. */
export interface AuditEvent {
  readonly tenantId: string;
  readonly eventType: string;
  readonly actor: string;
  readonly entity: string;
  readonly entityId: string;
  readonly details?: Record<string, unknown>;
}

/** The statement that writes one event; parameters as {@link eventValues} gives them, from `$first` on. */
export function eventSql(first: number): string {
  const at = (offset: number): string => `$${first + offset}`;
  return `INSERT INTO validahub.audit_log (tenant_id, event_type, actor, entity, entity_id, details)
    VALUES (${at(0)}, ${at(1)}, ${at(2)}, ${at(3)}, ${at(4)}, ${at(5)}::jsonb)`;
}

/** The parameters of {@link eventSql}. */
export function eventValues(event: AuditEvent): readonly unknown[] {
  const { tenantId, eventType, actor, entity, entityId, details } = event;
  return [tenantId, eventType, actor, entity, entityId, JSON.stringify(details ?? {})];
}

/** Writes the event in the transaction it tells of: both are there or neither. */
export async function record(tx: Tx, event: AuditEvent): Promise<void> {
  await tx.insert(tables.auditLog).values(event);
}

/** Runs a statement that gives rows, typed by the caller who wrote its select list. */
export async function rowsOf<Row extends object>(tx: Tx, statement: ReturnType<typeof sql>): Promise<Row[]> {
  return (await tx.execute(statement)).rows as unknown as Row[];
}
