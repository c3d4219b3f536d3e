// A ValidaHub of its own for a test file: the whole definition applied, and a hub that speaks as the application's role.
import type { Definition } from 'holdfast/define';
import { connect, type Connected } from 'holdfast/use';
import { lower } from '../../../src/build/lower.ts';
import { load } from '../../../src/build/load.ts';
import { roleSteps } from '../../../src/build/roles.ts';
import { settle } from '../../../src/build/settle.ts';
import type { CatalogueQuery } from '../../../src/define/trait.ts';
import { ident } from '../../../src/sql.ts';
import { test as base, type TestDatabase } from '../../../test/cluster/index.ts';
import { defineValidahub, type RoleNames } from '../define.ts';
import {
  addVersion,
  createRuleSet,
  createTenant,
  openHub,
  publishVersion,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import type { Rule } from '../rules/rule.ts';
import type * as tables from '../tables/index.ts';

/** What a test of the operations works with. */
export interface Installed {
  readonly definition: Definition<typeof tables>;
  readonly roles: RoleNames;
  readonly connected: Connected<typeof tables>;
  readonly hub: Hub;
  /** The clock of the hub; a test moves it. */
  readonly clock: { now: Date };
  /** Connection string of the application's role. */
  readonly appUrl: string;
}

const PASSWORD = 'only-for-tests';

/** `test` with `{ db, installed }`, both for the whole file. */
export const test = base.extend<{ installed: Installed }>({
  installed: [
    async ({ db }, use) => {
      const roles = rolesOf(db);
      const definition = defineValidahub(roles);
      await build(db, definition);
      await db.query(`ALTER ROLE ${ident(roles.app)} PASSWORD '${PASSWORD}'`);
      const appUrl = db.urlAs(roles.app, PASSWORD);
      const connected = await connect(definition, appUrl, { maxConnections: 40 });
      const clock = { now: new Date() };
      const hub = openHub(connected, { now: () => clock.now });
      await use({ definition, roles, connected, hub, clock, appUrl });
      await connected.close();
    },
    { scope: 'file', auto: true },
  ],
});

function rolesOf(db: TestDatabase): RoleNames {
  return {
    app: db.role('vh_app'),
    analytics: db.role('vh_analytics'),
    admin: db.role('vh_admin'),
    system: db.role('vh_system'),
    owner: db.role('vh_owner'),
  };
}

/** The definition straight into the empty database: what plan and apply come to, without the rehearsal. */
async function build(db: TestDatabase, definition: Definition<typeof tables>): Promise<void> {
  const query: CatalogueQuery = async <Row extends object>(sql: string, values?: readonly unknown[]) =>
    db.query<Row>(sql, values === undefined ? undefined : [...values]);
  for (const step of await roleSteps(query, definition.model.roles)) await db.query(step.sql);
  const { statements } = await lower(definition);
  await load(db.pool, statements);
  const { model, traits } = definition;
  for (const steps of await settle({ model, traits, query, now: new Date() })) {
    for (const step of steps) await db.query(step.sql);
  }
}

/** A tenant id that nothing else in the file uses. */
export function freshTenant(): string {
  return `t_${Math.random().toString(36).slice(2, 12)}`;
}

/** Rules for tests: a name is required, spaces go at once, a long title waits for a decision. */
export const SAMPLE_RULES: readonly Rule[] = [
  { id: 'title_required', type: 'required', field: 'title', message: 'A title is needed.' },
  {
    id: 'title_trimmed',
    type: 'format',
    field: 'title',
    message: 'No spaces around the title.',
    action: 'transform',
    params: { format: 'normalized' },
    fix: [{ step: 'trim' }],
  },
  {
    id: 'brand_listed',
    type: 'enum',
    field: 'brand',
    message: 'The brand must be a known one.',
    action: 'suggest',
    params: { values: ['Acme', 'Globex'], ignore_case: false },
    fix: [{ step: 'title_case' }],
  },
];

/** A tenant with a rule set whose first version is current. */
export async function published(hub: Hub, rules: readonly Rule[] = SAMPLE_RULES) {
  const tenant = freshTenant();
  await createTenant(hub, { id: tenant, name: 'Test shop', by: 'p_1' });
  const set = await createRuleSet(hub, { tenant, channel: 'custom', name: 'Basics', by: 'p_1' });
  const version = await addVersion(hub, {
    tenant,
    setId: set.id,
    version: '1.0.0',
    rules,
    expectedVersion: set.version,
    by: 'p_1',
  });
  await validateVersion(hub, { tenant, versionId: version.id, by: 'p_1' });
  await publishVersion(hub, { tenant, versionId: version.id, by: 'p_1' });
  return { tenant, setId: set.id, versionId: version.id };
}
