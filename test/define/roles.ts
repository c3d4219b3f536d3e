// Roles a test's definition speaks of, made before its statements and gone when the test is.
import type { Role } from '../../src/define/index.ts';
import { ident } from '../../src/sql.ts';
import type { TestDatabase } from '../cluster/index.ts';

/**
 * Makes roles for the time of `work`, and drops them with what they have in these databases.
 * @param databases where the work may have given them something
 */
export async function withRoles<T>(
  databases: readonly TestDatabase[],
  roles: readonly Pick<Role, 'name'>[],
  work: () => Promise<T>,
): Promise<T> {
  const [first] = databases as readonly [TestDatabase];
  const names = roles.map((role) => ident(role.name));
  for (const name of names) await first.query(`CREATE ROLE ${name}`);
  try {
    return await work();
  } finally {
    for (const name of names) {
      for (const db of databases) await db.query(`DROP OWNED BY ${name}`);
      await first.query(`DROP ROLE ${name}`);
    }
  }
}
