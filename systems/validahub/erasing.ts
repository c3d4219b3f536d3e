// Who can be erased from ValidaHub: a tenant with everything it ever wrote, and a person by the pseudonym they act under.
import type { Trait } from 'holdfast/define';
import { erasure } from 'holdfast/traits';
import * as tables from './tables/index.ts';

/** What stands where a person acted; it names nobody, and is not NULL where a check wants to know that somebody did. */
const ERASED = 'erased';

const by = (...columns: readonly string[]) => ({
  by: columns,
  blank: Object.fromEntries(columns.map((column) => [column, ERASED])),
});

/**
 * A tenant's rows go from every table that has its column, versions of rules and the audit trail included: both are kept for
 * the tenant, and there is none any more. A person is a pseudonym within a tenant: it is taken out of every column that
 * says who did something, published versions and decided corrections included. In the audit trail it stays: the identity
 * behind it lies in the system that signs people in, which erases it there.
 */
export function erasing(): Trait {
  return erasure({
    subjects: {
      tenant: {
        table: tables.tenants,
        everywhere: 'tenant_id',
        tables: [tables.ruleVersions, tables.correctionLogs, tables.jobViolations, tables.auditLog].map(
          (table) => ({ table, despiteImmutability: true }),
        ),
      },
      person: {
        within: 'tenant_id',
        tables: [
          { table: tables.ruleSets, ...by('created_by', 'updated_by') },
          {
            table: tables.ruleVersions,
            ...by('created_by', 'published_by', 'deprecated_by'),
            despiteImmutability: true,
          },
          { table: tables.jobs, ...by('created_by') },
          {
            table: tables.correctionLogs,
            ...by('created_by', 'approved_by', 'rejected_by'),
            despiteImmutability: true,
          },
          { table: tables.suggestions, ...by('reviewed_by', 'accepted_by', 'rejected_by') },
          {
            table: tables.erasureRequests,
            by: ['subject', 'requested_by'],
            pseudonymise: ['subject'],
            blank: { requested_by: ERASED },
          },
          {
            table: tables.auditLog,
            by: 'actor',
            keep: 'the trail proves what was done, and its actor is a pseudonym',
          },
        ],
      },
    },
  });
}
