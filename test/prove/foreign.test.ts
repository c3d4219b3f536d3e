// A database that Holdfast did not build, from a document that somebody else wrote: what `holdfast prove URL` runs finds
// its holes and traps, told nothing but the URL.
//
// "As far as it loads": the document's statements are run one by one, and what PostgreSQL refuses stays away, as it would
// for a team that runs the file with psql. Two things are done that a team would have to do before anything works at all:
// - application_user is made as a login and granted what an application needs; the document names the role in its
//   policies, and neither makes it nor grants anything. Without it the policies do not load: that is the last test.
// - the partitioned table's primary key gets the partition column. As written (LIKE agent_outputs INCLUDING ALL) it is
//   refused, and then there is no partitioned table that could run out of partitions.
import { describe, expect } from 'vitest';
import { proveIsolation, type Isolation } from '../../src/prove/isolation/index.ts';
import { CHECKS, findTraps, type Finding } from '../../src/prove/traps/index.ts';
import { test } from '../cluster/index.ts';
import { buildForeign, noDocument, type Refused } from './foreign/document.ts';

const MENDED = {
  'CREATE TABLE agent_outputs_partitioned': `
    CREATE TABLE agent_outputs_partitioned (LIKE agent_outputs INCLUDING DEFAULTS, PRIMARY KEY (id, created_at))
    PARTITION BY RANGE (created_at)`,
};

// What does not load even so: pg_cron and pg_stat_statements are not there, and a view reads a column that is none.
const REFUSED = [
  'schema "cron" does not exist',
  'relation "pg_stat_statements" does not exist',
  'column "tablename" does not exist',
];

/** The traps of the list that must be found, and where: a subject of a finding, or an object that was crossed. */
const WANTED: readonly {
  trap: string;
  told?: readonly string[];
  crossed?: Readonly<Record<string, string>>;
}[] = [
  { trap: 'BX-06', told: ['default privileges of {superuser} in schema public'] },
  {
    trap: 'BX-07',
    told: ['materialized view public.agent_performance_daily', 'materialized view public.project_task_stats'],
    crossed: { 'public.agent_performance_daily': 'read', 'public.project_task_stats': 'read' },
  },
  {
    trap: 'BX-08',
    told: ['foreign key tasks_project_id_fkey on public.tasks', 'key users_email_key on public.users'],
    crossed: { 'public.tasks': 'foreign key', 'public.users': 'existence' },
  },
  {
    trap: 'BX-09',
    told: ['policy project_access on public.projects', 'policy task_access on public.tasks'],
  },
  { trap: 'BX-10', told: ['setting app.current_user_id'] },
  {
    trap: 'BX-11',
    told: ['table public.organization_members', 'table public.project_members'],
  },
  {
    trap: 'BX-13',
    told: [
      'foreign key audit_logs_organization_id_fkey on public.audit_logs',
      'foreign key audit_logs_user_id_fkey on public.audit_logs',
    ],
  },
  { trap: 'BX-14', told: ['materialized view public.agent_performance_daily'] },
  { trap: 'BX-19', told: ['function public.create_monthly_partition()'] },
  {
    trap: 'BX-20',
    told: ['table public.agent_outputs_partitioned', 'function public.create_monthly_partition()'],
  },
  {
    trap: 'BX-28',
    told: ['function public.encrypt_sensitive(data text)', 'function public.decrypt_sensitive(data bytea)'],
  },
  { trap: 'B4-12', told: ['table public.agent_messages'] },
  { trap: 'B4-13', told: ['table public.tasks'] },
  { trap: 'B4-14', told: ['policy project_access on public.projects'] },
  {
    trap: 'B4-15',
    told: ['policy project_access on public.projects', 'policy task_access on public.tasks'],
  },
  {
    trap: 'B4-16',
    told: ['table public.organization_members', 'table public.project_members'],
    crossed: { 'public.organization_members': 'insert', 'public.project_members': 'insert' },
  },
  {
    trap: 'B4-19',
    told: [
      'setting app.encryption_key of database {database}',
      'function public.encrypt_sensitive(data text)',
      'function public.decrypt_sensitive(data bytea)',
    ],
  },
];

// B4-17: row security is on for projects, tasks and agent_messages; these are the document's other 20 tables.
const OPEN_TABLES = [
  'agent_outputs',
  'agent_status_history',
  'agents',
  'api_keys',
  'audit_logs',
  'code_coverage',
  'github_issues',
  'github_pull_requests',
  'github_repositories',
  'message_queue',
  'organization_members',
  'organizations',
  'project_members',
  'sessions',
  'task_dependencies',
  'test_results',
  'test_suites',
  'users',
  'workflow_executions',
  'workflows',
];

const trapsOf = (code: string): readonly string[] => CHECKS.find((check) => check.code === code)?.traps ?? [];
const subjectsOf = (findings: readonly Finding[], trap: string): string[] =>
  findings.filter(({ code }) => trapsOf(code).includes(trap)).map(({ subject }) => subject);

describe.skipIf(noDocument !== undefined)(
  `document 004${noDocument === undefined ? '' : `: ${noDocument}`}`,
  () => {
    let refused: readonly Refused[];
    let isolation: Isolation;
    let findings: readonly Finding[];
    let role: string;
    let named: (text: string) => string;

    test('it loads but for what is not there', async ({ db }) => {
      role = db.role('application_user');
      refused = await buildForeign(db, { role, mended: MENDED });
      expect([...new Set(refused.map(({ message }) => message))]).toEqual(REFUSED);
      // Its scheduler is not there, so what it would have run at the first of the month is run once by hand.
      await db.query('SELECT create_monthly_partition()');
      const [superuser] = await db.query<{ name: string }>('SELECT current_user::text AS name');
      named = (text) => text.replace('{superuser}', superuser?.name ?? '').replace('{database}', db.name);
    });

    test('the proofs run, told nothing but the URL', async ({ db }) => {
      const now = new Date();
      isolation = await proveIsolation({ url: db.url, now });
      ({ findings } = await findTraps({ url: db.url, now }));
      expect(isolation.roles).toEqual([role]);
      expect(isolation.boundaries.map(({ setting }) => setting)).toEqual(['app.current_user_id']);
      expect(isolation.empty).toEqual([]);
    });

    test.for(WANTED)('$trap is found', ({ trap, told = [], crossed = {} }) => {
      expect(subjectsOf(findings, trap)).toEqual(expect.arrayContaining(told.map(named)));
      const ways = isolation.crossings.map(({ object, attack }) => `${object}: ${attack}`);
      expect(ways).toEqual(
        expect.arrayContaining(Object.entries(crossed).map(([object, attack]) => `${object}: ${attack}`)),
      );
    });

    test('B4-17 is found: each of the 20 open tables is told and read across', () => {
      expect(subjectsOf(findings, 'B4-17').sort()).toEqual(OPEN_TABLES.map((name) => `table public.${name}`));
      const read = new Set(
        isolation.crossings.filter(({ attack }) => attack === 'read').map(({ object }) => object),
      );
      expect(OPEN_TABLES.filter((name) => !read.has(`public.${name}`))).toEqual([]);
    });

    test('what is closed is not said to be open', () => {
      // Row security without a policy shows nothing; tasks are read by their members alone.
      const read = isolation.crossings.filter(({ attack }) => attack === 'read').map(({ object }) => object);
      for (const table of [
        'agent_messages',
        'tasks',
        'projects',
        'schema_migrations',
        'data_retention_policies',
      ]) {
        expect(read).not.toContain(`public.${table}`);
      }
      const calls = isolation.crossings.filter(({ attack }) => attack === 'call').map(({ object }) => object);
      expect(calls).toEqual([]);
    });

    test('BX-12 is found once a team writes GRANT ALL, and not before', async ({ db }) => {
      expect(subjectsOf(findings, 'BX-12')).toEqual([]);
      await db.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
      const now = await findTraps({ url: db.url, now: new Date() });
      expect(subjectsOf(now.findings, 'BX-12')).toEqual(
        ['agent_messages', 'projects', 'tasks'].map((name) => `table public.${name}`),
      );
    });

    test('B4-11 is found where nobody made the role: the policies are refused, the tables show nothing', async ({
      db,
    }) => {
      const asWritten = await db.another();
      const policies = (await buildForeign(asWritten, {})).filter(({ sql }) =>
        sql.startsWith('CREATE POLICY'),
      );
      expect(policies.map(({ message }) => message)).toEqual([
        'role "application_user" does not exist',
        'role "application_user" does not exist',
      ]);
      const traps = await findTraps({ url: asWritten.url, now: new Date() });
      expect(subjectsOf(traps.findings, 'B4-11')).toEqual(
        ['agent_messages', 'projects', 'tasks'].map((name) => `table public.${name}`),
      );
    });
  },
);
