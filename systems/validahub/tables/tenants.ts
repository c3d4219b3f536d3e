// Tenants and the requests to erase one or a person in one.
import { sql } from 'drizzle-orm';
import { check, foreignKey, index, jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { atMost, createdAt, moment, oneOf, tenantId, validahub } from './columns.ts';

/** One customer. Its id is the tenant id that every other row carries. */
export const tenants = validahub.table(
  'tenants',
  {
    id: text('id').notNull(),
    name: text('name').notNull(),
    status: text('status').notNull().default('active'),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: 'tenants_pkey', columns: [t.id] }),
    check('tenants_id_form', sql`${t.id} ~ '^t_[a-z0-9_]{1,47}$'`),
    check('tenants_name_length', sql`char_length(${t.name}) between 1 and 200`),
    oneOf('tenants_status', t.status, ['active', 'suspended', 'erasing', 'erased']),
  ],
);

/** A lawful request to erase a tenant or a person, and the report of what went. */
export const erasureRequests = validahub.table(
  'erasure_requests',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    subjectType: text('subject_type').notNull(),
    /** Hashed once the request is completed. */
    subject: text('subject').notNull(),
    legalBasis: text('legal_basis').notNull(),
    status: text('status').notNull().default('received'),
    /** Rows erased, by table. */
    report: jsonb('report').$type<Record<string, number>>(),
    requestedBy: text('requested_by').notNull(),
    requestedAt: moment('requested_at').notNull().defaultNow(),
    completedAt: moment('completed_at'),
    dueAt: moment('due_at')
      .notNull()
      .default(sql`(now() + interval '15 days')`),
  },
  (t) => [
    primaryKey({ name: 'erasure_requests_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({
      name: 'erasure_requests_tenant_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }).onDelete('restrict'),
    oneOf('erasure_requests_subject_type', t.subjectType, ['tenant', 'person']),
    oneOf('erasure_requests_legal_basis', t.legalBasis, ['user_request', 'legal_obligation', 'court_order']),
    oneOf('erasure_requests_status', t.status, ['received', 'running', 'completed', 'refused']),
    atMost('erasure_requests_requested_by_length', t.requestedBy, 100),
    check(
      'erasure_requests_completed',
      sql`(${t.status} = 'completed') = (${t.completedAt} is not null) or ${t.status} = 'refused'`,
    ),
    index('idx_erasure_requests_tenant_due').on(t.tenantId, t.status, t.dueAt),
  ],
);
