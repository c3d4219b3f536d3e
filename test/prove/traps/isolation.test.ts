// HT1xx on a real server: what fires, what does not, and that the mends mend.
import { fixtures } from './fixtures.ts';

const MINE = `tenant_id = nullif(current_setting('app.tenant_id', true), '')`;
const guarded = (table: string, body: string): string =>
  `CREATE TABLE ${table} (tenant_id text NOT NULL, ${body}); ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
   CREATE POLICY mine ON ${table} USING (${MINE}); GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO {app};`;
const REFUSING = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'the log only grows'; END$$;`;
const KEPT = `CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON log FOR EACH ROW EXECUTE FUNCTION refuse();`;
/** A list of members and what it is about, as document 004 writes them. */
const MEMBERS = `
  CREATE TABLE projects (id int PRIMARY KEY, org int);
  CREATE TABLE members (project int REFERENCES projects, who text, role text);
  CREATE TABLE admins (org int, who text, role text);`;
const ME = `current_setting('app.user', true)`;
const A_MEMBER = `EXISTS (SELECT FROM members m WHERE m.project = projects.id AND m.who = ${ME})`;
const AN_ADMIN = `EXISTS (SELECT FROM admins a WHERE a.org = projects.org AND a.who = ${ME} AND a.role = 'admin')`;

fixtures('isolation', [
  {
    code: 'HT101',
    fires: `CREATE TABLE open_to_all (id int PRIMARY KEY, tenant_id uuid); GRANT SELECT ON open_to_all TO {app}`,
    near: `${guarded('t', 'n int')} CREATE TABLE internal (tenant_id text)`,
    subject: 'table {fx}.open_to_all',
    severity: 'error',
    says: ['{app} reads and writes the rows of every tenant'],
  },
  {
    code: 'HT101',
    name: 'by foreign key',
    fires: `CREATE TABLE parent (id int PRIMARY KEY, tenant_id text); ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON parent USING (${MINE});
      CREATE TABLE child (parent_id int REFERENCES parent, n int); GRANT SELECT ON child TO {app}`,
    near: `CREATE TABLE countries (code text PRIMARY KEY); GRANT SELECT ON countries TO {app}`,
    subject: 'table {fx}.child',
    says: ['foreign keys lead to rows that belong to one tenant'],
  },
  {
    code: 'HT101',
    name: 'enabled nowhere',
    fires: `CREATE TABLE t (tenant_id text); CREATE POLICY mine ON t USING (${MINE}); GRANT ALL ON t TO {app}`,
    near: `CREATE TABLE t (tenant_id text); CREATE POLICY mine ON t USING (${MINE}); REVOKE ALL ON t FROM {app}`,
    subject: 'table {fx}.t',
    says: ['although policies are written'],
  },
  {
    code: 'HT102',
    fires: `CREATE TABLE messages (tenant_id text); ALTER TABLE messages ENABLE ROW LEVEL SECURITY; GRANT ALL ON messages TO {app}`,
    near: `${guarded('messages', 'n int')} CREATE TABLE closed (tenant_id text); ALTER TABLE closed ENABLE ROW LEVEL SECURITY;
      CREATE TABLE p (tenant_id text, at int) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p DEFAULT;
      ALTER TABLE p1 ENABLE ROW LEVEL SECURITY; GRANT SELECT ON p1 TO {app}`,
    subject: 'table {fx}.messages',
    severity: 'error',
    fails: {
      as: 'app',
      sql: `INSERT INTO {fx}.messages VALUES ('a')`,
      with: 'new row violates row-level security policy for table "messages"',
    },
  },
  {
    code: 'HT102',
    name: 'for another role',
    fires: `CREATE TABLE t (tenant_id text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
      CREATE POLICY theirs ON t TO {owner} USING (true); GRANT SELECT ON t TO {app}`,
    near: `CREATE TABLE t (tenant_id text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON t TO {app} USING (${MINE}); GRANT SELECT ON t TO {app}`,
    subject: 'table {fx}.t',
    severity: 'info',
    says: ['no policy is for {app}'],
  },
  {
    code: 'HT103',
    fires: `${guarded('t', 'n int')} ALTER TABLE t OWNER TO {app}`,
    near: `${guarded('t', 'n int')} ALTER TABLE t OWNER TO {owner};
      ${guarded('f', 'n int')} ALTER TABLE f OWNER TO {app}; ALTER TABLE f FORCE ROW LEVEL SECURITY`,
    subject: 'table {fx}.t',
    severity: 'error',
    says: ['{app} logs in and is, or may become, its owner {app}'],
  },
  {
    code: 'HT104',
    fires: `CREATE TABLE p (tenant_id text, at int) PARTITION BY RANGE (at); ALTER TABLE p ENABLE ROW LEVEL SECURITY;
      ALTER TABLE p FORCE ROW LEVEL SECURITY;
      CREATE POLICY mine ON p USING (${MINE}); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
      GRANT SELECT ON p, p1 TO {app}`,
    near: `CREATE TABLE p (tenant_id text, at int) PARTITION BY RANGE (at); ALTER TABLE p ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON p USING (${MINE}); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
      CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (19); ALTER TABLE p2 ENABLE ROW LEVEL SECURITY;
      GRANT SELECT ON p, p2 TO {app}`,
    subject: 'table {fx}.p1',
    severity: 'error',
  },
  {
    code: 'HT105',
    fires: `CREATE TABLE p (tenant_id text, at int) PARTITION BY RANGE (at); ALTER TABLE p ENABLE ROW LEVEL SECURITY;
      ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {fx} GRANT SELECT, INSERT ON TABLES TO {app}`,
    near: `CREATE TABLE p (tenant_id text, at int) PARTITION BY RANGE (at); ALTER TABLE p ENABLE ROW LEVEL SECURITY;
      ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {fx} GRANT SELECT ON TABLES TO {bypass}`,
    subject: 'default privileges of {owner} in schema {fx}',
    severity: 'error',
    says: ['The next partition of table {fx}.p'],
  },
  {
    code: 'HT106',
    fires: guarded('shops', 'slug text CONSTRAINT shops_slug_key UNIQUE'),
    near: guarded(
      'shops',
      'id uuid PRIMARY KEY DEFAULT gen_random_uuid(), slug text, UNIQUE (tenant_id, slug)',
    ),
    subject: 'key shops_slug_key on {fx}.shops',
    severity: 'warning',
    fails: {
      as: 'app',
      sql: `RESET ROLE; INSERT INTO {fx}.shops VALUES ('b', 's'); SET ROLE {app}; SET app.tenant_id = 'a'; INSERT INTO {fx}.shops VALUES ('a', 's')`,
      with: 'duplicate key value violates unique constraint "shops_slug_key"',
    },
  },
  {
    code: 'HT106',
    name: 'index',
    fires: `${guarded('t', 'n int, mail text')} CREATE UNIQUE INDEX one_mail ON t (lower(mail)) WHERE n > 0`,
    near: guarded('t', 'mail text'),
    subject: 'key one_mail on {fx}.t',
  },
  {
    code: 'HT106',
    name: 'counted',
    fires: guarded('t', 'n int GENERATED ALWAYS AS IDENTITY UNIQUE'),
    near: guarded('t', 'n int GENERATED ALWAYS AS IDENTITY'),
    subject: 'key t_n_key on {fx}.t',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT106',
    name: 'exclusion',
    fires: guarded('bookings', 'during int4range, CONSTRAINT once EXCLUDE USING gist (during WITH &&)'),
    near: guarded(
      'bookings',
      'during int4range, CONSTRAINT once EXCLUDE USING btree (tenant_id WITH =, during WITH =)',
    ),
    subject: 'key once on {fx}.bookings',
    advised: true,
    fails: {
      as: 'app',
      sql: `RESET ROLE; INSERT INTO {fx}.bookings VALUES ('b', '[1,5]'); SET ROLE {app}; SET app.tenant_id = 'a'; INSERT INTO {fx}.bookings VALUES ('a', '[2,3]')`,
      with: 'conflicting key value violates exclusion constraint "once"',
    },
  },
  {
    code: 'HT107',
    fires: `${guarded('sets', 'id int PRIMARY KEY')} ${guarded('versions', 'set_id int CONSTRAINT of_set REFERENCES sets ON DELETE SET NULL')}`,
    near: `CREATE TABLE tenants (tenant_id text PRIMARY KEY); ${guarded('sets', 'id int, PRIMARY KEY (tenant_id, id)')}
      ${guarded('versions', 'set_id int, FOREIGN KEY (tenant_id, set_id) REFERENCES sets, FOREIGN KEY (tenant_id) REFERENCES tenants')}`,
    subject: 'foreign key of_set on {fx}.versions',
    severity: 'error',
  },
  {
    code: 'HT107',
    name: 'two parents',
    fires: `${guarded('tasks', 'id int PRIMARY KEY')} ${guarded('agents', 'id int PRIMARY KEY')}
      CREATE TABLE work (task int CONSTRAINT a_task REFERENCES tasks, agent int CONSTRAINT b_agent REFERENCES agents);
      GRANT INSERT ON work TO {app}`,
    near: `${guarded('tasks', 'id int PRIMARY KEY')} CREATE TABLE kinds (kind text PRIMARY KEY);
      CREATE TABLE work (task int REFERENCES tasks, kind text REFERENCES kinds); GRANT INSERT ON work TO {app}`,
    subject: 'foreign key b_agent on {fx}.work',
    severity: 'warning',
    advised: true,
  },
  {
    code: 'HT108',
    fires: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; ALTER TABLE members ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON projects USING (${A_MEMBER});
      CREATE POLICY ours ON members USING (project IN (SELECT id FROM projects)); GRANT SELECT ON projects, members TO {app}`,
    near: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; ALTER TABLE members ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON projects USING (${A_MEMBER}); CREATE POLICY me ON members FOR SELECT USING (who = ${ME});
      CREATE POLICY ours ON members FOR INSERT WITH CHECK (project IN (SELECT project FROM members))`,
    subject: 'table {fx}.projects',
    severity: 'error',
    advised: true,
    fails: {
      as: 'app',
      sql: 'SELECT FROM {fx}.projects',
      with: 'infinite recursion detected in policy for relation "projects"',
    },
  },
  {
    code: 'HT108',
    name: 'of itself',
    fires: `${MEMBERS} ALTER TABLE members ENABLE ROW LEVEL SECURITY;
      CREATE POLICY ours ON members USING (project IN (SELECT m.project FROM members m WHERE m.who = ${ME})); GRANT SELECT ON members TO {app}`,
    near: `${MEMBERS} CREATE POLICY ours ON members USING (project IN (SELECT m.project FROM members m WHERE m.who = ${ME}))`,
    subject: 'table {fx}.members',
    advised: true,
    fails: {
      as: 'app',
      sql: 'SELECT FROM {fx}.members',
      with: 'infinite recursion detected in policy for relation "members"',
    },
  },
  {
    code: 'HT109',
    fires: `${MEMBERS} CREATE TABLE tasks (project int REFERENCES projects); ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
      ALTER TABLE tasks ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER} OR ${AN_ADMIN});
      CREATE POLICY ours ON tasks USING (project IN (SELECT p.id FROM projects p JOIN members m ON m.project = p.id WHERE m.who = ${ME}))`,
    near: `${MEMBERS} CREATE TABLE tasks (project int REFERENCES projects); ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
      ALTER TABLE tasks ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER} OR ${AN_ADMIN});
      CREATE POLICY ours ON tasks USING (project IN (SELECT p.id FROM projects p))`,
    subject: 'table {fx}.tasks',
    advised: true,
    says: ['Whoever sees a row of projects by admins sees none of its rows here'],
  },
  {
    code: 'HT110',
    fires: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER});
      GRANT SELECT, INSERT ON projects TO {app}; GRANT SELECT ON members TO {app}`,
    near: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER});
      CREATE POLICY made ON projects FOR INSERT WITH CHECK (${AN_ADMIN}); GRANT SELECT, INSERT ON projects TO {app}`,
    subject: 'policy mine on {fx}.projects',
    severity: 'error',
    advised: true,
    fails: {
      as: 'app',
      sql: `INSERT INTO {fx}.projects VALUES (1, 1)`,
      with: 'new row violates row-level security policy for table "projects"',
    },
  },
  {
    code: 'HT111',
    fires: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER});
      GRANT SELECT, UPDATE ON projects TO {app}`,
    near: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects FOR SELECT USING (${A_MEMBER});
      CREATE POLICY changed ON projects FOR UPDATE USING (${AN_ADMIN}); GRANT SELECT, UPDATE ON projects TO {app}`,
    subject: 'policy mine on {fx}.projects',
    advised: true,
    says: ['never reads members.role', 'a viewer too'],
  },
  {
    code: 'HT112',
    fires: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER});
      GRANT SELECT ON members TO {app}; GRANT INSERT ON members TO PUBLIC`,
    near: `${MEMBERS} ALTER TABLE projects ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON projects USING (${A_MEMBER});
      GRANT SELECT ON members TO {app}`,
    subject: 'table {fx}.members',
    severity: 'error',
  },
  {
    code: 'HT113',
    fires: `CREATE TABLE t (tenant_id text, n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON t USING (${MINE}); GRANT ALL ON t TO {app}`,
    near: guarded('t', 'n int'),
    subject: 'table {fx}.t',
    says: ['TRUNCATE "{fx}"."t" as {app} empties it'],
  },
  {
    code: 'HT114',
    fires: `CREATE TABLE log (n int) PARTITION BY RANGE (n); CREATE TABLE log_1 PARTITION OF log DEFAULT; ${REFUSING} ${KEPT}
      CREATE TRIGGER whole BEFORE TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION refuse()`,
    near: `CREATE TABLE log (n int); ${REFUSING} ${KEPT}
      CREATE TRIGGER whole BEFORE TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION refuse();
      CREATE FUNCTION checked() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.n < 0 THEN RAISE EXCEPTION 'too low'; END IF; RETURN NEW; END$$;
      CREATE TABLE other (n int); CREATE TRIGGER c BEFORE UPDATE OR DELETE ON other FOR EACH ROW EXECUTE FUNCTION checked()`,
    subject: 'table {fx}.log_1',
  },
  {
    code: 'HT115',
    fires: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE log (who int CONSTRAINT by REFERENCES users ON DELETE SET NULL); ${REFUSING} ${KEPT}`,
    near: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE log (who int); ${REFUSING} ${KEPT}
      CREATE TABLE notes (who int REFERENCES users)`,
    subject: 'foreign key by on {fx}.log',
    severity: 'error',
    says: ['SET NULL runs into trigger kept'],
  },
  {
    code: 'HT115',
    name: 'of an audit trail',
    fires: `CREATE TABLE orgs (id int PRIMARY KEY); INSERT INTO orgs VALUES (1);
      CREATE TABLE audit_logs (org int CONSTRAINT of_org REFERENCES orgs); INSERT INTO audit_logs VALUES (1)`,
    near: `CREATE TABLE orgs (id int PRIMARY KEY); CREATE TABLE audit_logs (org int); CREATE TABLE auditors (org int REFERENCES orgs)`,
    subject: 'foreign key of_org on {fx}.audit_logs',
    severity: 'warning',
    fails: {
      sql: 'DELETE FROM {fx}.orgs',
      with: 'update or delete on table "orgs" violates foreign key constraint "of_org" on table "audit_logs"',
    },
  },
  {
    code: 'HT116',
    fires: `CREATE TABLE t (tenant_id uuid); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {app};
      CREATE POLICY mine ON t USING (tenant_id = current_setting('app.{fx}')::uuid) WITH CHECK (tenant_id = current_setting('app.{fx}', true)::uuid)`,
    near: `CREATE TABLE t (tenant_id uuid, s text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {app};
      CREATE POLICY mine ON t USING (tenant_id = nullif(current_setting('app.{fx}', true), '')::uuid AND s = current_setting('app.s', true))`,
    subject: 'policy mine on {fx}.t',
    fails: {
      as: 'app',
      sql: 'SELECT FROM {fx}.t WHERE tenant_id IS NOT NULL',
      with: 'unrecognized configuration parameter "app.{fx}"',
    },
    says: ['invalid input syntax for type uuid: ""'],
  },
]);
