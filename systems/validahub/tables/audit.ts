// The audit trail: one event for every operation. It only grows.
import { bigint, customType, index, primaryKey, text } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';
import { atMost, createdAt, falling, object, tenantId, validahub } from './columns.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/**
 * Numbers the events. A sequence and not an identity column: before PostgreSQL 17 a partition cannot be attached to a
 * table that has one. Gaps are normal (a rolled back event takes its number along); order is by number within a tenant.
 */
export const auditLogSeq = validahub.sequence('audit_log_seq');

/**
 * One event. Partitioned by month. No foreign key leaves it, so nothing that has a history becomes undeletable;
 * `actor` is a pseudonym. `prev_hash` and `hash` stay empty until the sealing release fills them.
 */
export const auditLog = validahub.table(
  'audit_log',
  {
    tenantId: tenantId(),
    seq: bigint('seq', { mode: 'number' })
      .notNull()
      .default(sql`nextval('validahub.audit_log_seq'::regclass)`),
    eventType: text('event_type').notNull(),
    actor: text('actor').notNull(),
    entity: text('entity').notNull(),
    entityId: text('entity_id').notNull(),
    details: object('details'),
    prevHash: bytea('prev_hash'),
    hash: bytea('hash'),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: 'audit_log_pkey', columns: [t.tenantId, t.seq, t.createdAt] }),
    atMost('audit_log_event_type_length', t.eventType, 100),
    atMost('audit_log_actor_length', t.actor, 100),
    atMost('audit_log_entity_length', t.entity, 63),
    atMost('audit_log_entity_id_length', t.entityId, 200),
    index('idx_audit_log_entity').on(t.tenantId, t.entity, t.entityId, falling(t.createdAt)),
  ],
);
