// The erasure as the keeper's own login does it: no superuser, a member of the owner, past row security.
import { expect } from 'vitest';
import { withTask } from 'holdfast/keep';
import { erasersOf } from 'holdfast/traits';
import { ident } from '../../../src/sql.ts';
import { published, test } from './installed.ts';

test('a tenant is erased by a role that is no superuser', async ({ db, installed }) => {
  const { definition, roles, hub } = installed;
  const { tenant } = await published(hub);
  const keeper = db.role('vh_keeper');
  await db.query(`CREATE ROLE ${ident(keeper)} LOGIN BYPASSRLS PASSWORD 'only-for-tests';
    GRANT ${ident(roles.owner)}, ${ident(roles.system)} TO ${ident(keeper)};
    GRANT CREATE ON DATABASE ${ident(db.name)} TO ${ident(keeper)}`);
  const [eraser] = erasersOf(definition);
  const options = { trait: 'erasure', leading: true };
  const request = await withTask(definition, db.urlAs(keeper, 'only-for-tests'), options, async (context) =>
    eraser?.erase(context, { subject: `tenant:${tenant}`, basis: 'contract ended' }),
  );
  expect(request?.state).toBe('erased');
  expect(request?.left.join('\n')).toMatch(
    /dead rows of pg_statistic and pg_largeobject: only a superuser may vacuum them/,
  );
  for (const table of ['tenants', 'rule_sets', 'rule_versions', 'audit_log'])
    expect(
      await db.query(
        `SELECT FROM validahub.${table} WHERE ${table === 'tenants' ? 'id' : 'tenant_id'} = $1`,
        [tenant],
      ),
    ).toEqual([]);
});
