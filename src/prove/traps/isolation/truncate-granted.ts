// HT113: TRUNCATE asks no policy.
import { qualified } from '../../../sql.ts';
import type { TrapCheck } from '../check.ts';
import { grants } from '../facts/grants.ts';
import { relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';

export const truncateGranted: TrapCheck = {
  code: 'HT113',
  name: 'truncate-granted',
  title: 'An application role may TRUNCATE a table under row security',
  severity: 'error',
  traps: ['BX-12'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    const { holders } = await facts(rights);
    const { revoke } = await facts(grants);
    return tables.flatMap((table) => {
      const by = root(table).rowSecurity ? holders(table.oid, 'truncate') : [];
      if (by.length === 0) return [];
      return {
        subject: relationSubject(table),
        what: `Row security is on and ${by.join(', ')} may TRUNCATE it.`,
        effect: `TRUNCATE ${qualified(table)} as ${by[0]} empties it of every owner's rows; no policy and no row trigger is asked.`,
        mend: revoke(table, { rights: ['truncate'], roles: by }),
        advice: 'Rows that may go are deleted with DELETE, which the policies narrow.',
      };
    });
  },
  page: {
    what: '`GRANT ALL` on a table hands out TRUNCATE along with the rest.',
    effect:
      'Row security does not apply to TRUNCATE: the role empties the table of all owners. Row triggers that keep a table append-only do not fire either.',
    mend: 'Take the right away: `REVOKE TRUNCATE ON t FROM app`. Grant SELECT, INSERT, UPDATE and DELETE by name instead of ALL.',
  },
};
