// HT6xx on a real server: what fires, what does not, and that the mends mend.
import { fixtures } from './fixtures.ts';

fixtures('keys', [
  {
    code: 'HT601',
    fires: `CREATE TABLE t (confidence numeric, CONSTRAINT sure CHECK (confidence >= 0.0 AND confidence <= 1.0 OR NULL));
      INSERT INTO t VALUES (42), (-7)`,
    near: `CREATE TABLE t (confidence numeric, n int NOT NULL CHECK (n IS NOT NULL), kind text,
      CHECK (confidence IS NULL OR confidence BETWEEN 0 AND 1), CHECK (kind IN ('a', 'NULL', 'true')),
      CHECK (coalesce(nullif(kind, NULL::text), '') <> 'x'))`,
    subject: 'constraint sure on {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT601',
    name: 'a list with NULL',
    fires: `CREATE TABLE t (kind varchar(9), CONSTRAINT known CHECK (kind IN ('a', 'b', NULL))); INSERT INTO t VALUES ('other')`,
    near: `CREATE FUNCTION odd(text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'called'; END$$;
      CREATE TABLE t (kind varchar(9), CHECK (kind IN ('a', 'b')), CHECK (odd(NULL::text) OR NULL))`,
    subject: 'constraint known on {fx}.t',
  },
  {
    code: 'HT601',
    name: 'a domain',
    fires: `CREATE DOMAIN share AS numeric CHECK (VALUE BETWEEN 0 AND 1 OR NULL)`,
    near: `CREATE DOMAIN share AS numeric CHECK (VALUE BETWEEN 0 AND 1)`,
    subject: 'domain {fx}.share',
  },
  {
    code: 'HT602',
    fires: `CREATE TABLE t (state text DEFAULT 'new' CHECK (state IN ('new', 'done')))`,
    near: `CREATE TABLE t (state text NOT NULL CHECK (state IN ('new', 'done')), n int CHECK (n > 0),
      kind text CHECK (kind IS NULL OR kind IN ('a', 'b')))`,
    subject: 'column state on {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT602',
    name: 'without a default',
    fires: `CREATE TABLE t (state varchar(20) CHECK (state IN ('new', 'done')))`,
    near: `CREATE TABLE t (state varchar(20) CHECK (length(state) > 2))`,
    subject: 'column state on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT603',
    fires: `CREATE TABLE t (tdd_phase varchar(20))`,
    near: `CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN word AS text CHECK (VALUE <> '');
      CREATE TABLE kinds (status text PRIMARY KEY CHECK (status <> ''));
      CREATE TABLE t (phase text CHECK (phase IN ('red', 'green')), state mood, severity word, status text REFERENCES kinds, statement text)`,
    subject: 'column tdd_phase on {fx}.t',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT604',
    fires: `CREATE TABLE t (n int); ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID`,
    near: `CREATE TABLE t (n int); ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c`,
    subject: 'constraint c on {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT604',
    name: 'foreign key',
    fires: `CREATE TABLE a (n int PRIMARY KEY); CREATE TABLE t (n int); ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (n) REFERENCES a NOT VALID`,
    near: `CREATE TABLE a (n int PRIMARY KEY); CREATE TABLE t (n int REFERENCES a)`,
    subject: 'foreign key c on {fx}.t',
  },
  {
    code: 'HT604',
    name: 'not enforced',
    fires: `CREATE TABLE t (n int, CONSTRAINT c CHECK (n > 0) NOT ENFORCED)`,
    near: `CREATE TABLE t (n int, CONSTRAINT c CHECK (n > 0) ENFORCED)`,
    subject: 'constraint c on {fx}.t',
    from: 18,
    advised: true,
  },
  {
    code: 'HT605',
    fires: `CREATE TABLE projects (id int PRIMARY KEY);
      CREATE TABLE agents (id int PRIMARY KEY, project_id int NOT NULL REFERENCES projects ON DELETE CASCADE);
      CREATE TABLE messages (source_id int CONSTRAINT source REFERENCES agents);
      INSERT INTO projects VALUES (1); INSERT INTO agents VALUES (1, 1); INSERT INTO messages VALUES (1)`,
    near: `CREATE TABLE projects (id int PRIMARY KEY);
      CREATE TABLE agents (id int PRIMARY KEY, project_id int NOT NULL REFERENCES projects ON DELETE CASCADE);
      CREATE TABLE tasks (agent_id int REFERENCES agents, project_id int REFERENCES projects ON DELETE CASCADE);
      CREATE TABLE messages (source_id int REFERENCES agents ON DELETE SET NULL);
      CREATE TABLE kept (agent_id int REFERENCES agents ON DELETE RESTRICT);
      INSERT INTO projects VALUES (1); INSERT INTO agents VALUES (1, 1); INSERT INTO tasks VALUES (1, 1);
      DELETE FROM projects`,
    subject: 'foreign key source on {fx}.messages',
    severity: 'warning',
    fails: {
      sql: 'DELETE FROM {fx}.projects',
      with: 'violates foreign key constraint "source" on table "messages"',
    },
    advised: true,
  },
  {
    code: 'HT605',
    name: 'beside a cascade',
    fires: `CREATE TABLE users (id int PRIMARY KEY);
      CREATE TABLE members (user_id int REFERENCES users ON DELETE CASCADE, invited_by int CONSTRAINT inviter REFERENCES users);
      INSERT INTO users VALUES (1), (2); INSERT INTO members VALUES (2, 1)`,
    near: `CREATE TABLE users (id int PRIMARY KEY, boss int REFERENCES users); CREATE TABLE members (user_id int REFERENCES users)`,
    subject: 'foreign key inviter on {fx}.members',
    severity: 'info',
    fails: {
      sql: 'DELETE FROM {fx}.users WHERE id = 1',
      with: 'violates foreign key constraint "inviter" on table "members"',
    },
    advised: true,
  },
  {
    code: 'HT606',
    fires: `CREATE TABLE a (tenant int, id int, PRIMARY KEY (tenant, id));
      CREATE TABLE t (tenant int NOT NULL, a int, CONSTRAINT k FOREIGN KEY (tenant, a) REFERENCES a ON DELETE SET NULL);
      INSERT INTO a VALUES (1, 1); INSERT INTO t VALUES (1, 1)`,
    near: `CREATE TABLE a (tenant int, id int, PRIMARY KEY (tenant, id));
      CREATE TABLE t (tenant int NOT NULL, a int, CONSTRAINT k FOREIGN KEY (tenant, a) REFERENCES a ON DELETE SET NULL (a));
      INSERT INTO a VALUES (1, 1); INSERT INTO t VALUES (1, 1); DELETE FROM a`,
    subject: 'foreign key k on {fx}.t',
    severity: 'error',
    fails: {
      sql: 'DELETE FROM {fx}.a',
      with: 'null value in column "tenant" of relation "t" violates not-null constraint',
    },
  },
  {
    code: 'HT607',
    fires: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE performance_metrics (user_id int CONSTRAINT who REFERENCES users)`,
    near: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE sources (id int PRIMARY KEY); CREATE TABLE orders (user_id int REFERENCES users);
      CREATE TABLE performance_metrics (source int REFERENCES sources)`,
    subject: 'foreign key who on {fx}.performance_metrics',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT608',
    fires: `CREATE TABLE tasks (id int PRIMARY KEY); CREATE TABLE needs (task int REFERENCES tasks, on_task int REFERENCES tasks, UNIQUE (task, on_task));
      INSERT INTO tasks VALUES (1), (2); INSERT INTO needs VALUES (1, 2), (2, 1)`,
    near: `CREATE TABLE tasks (id int PRIMARY KEY); CREATE TABLE needs (task int REFERENCES tasks, on_task int REFERENCES tasks, PRIMARY KEY (task, on_task), CHECK (task <> on_task));
      CREATE TABLE transfers (id int PRIMARY KEY, from_task int REFERENCES tasks, to_task int REFERENCES tasks)`,
    subject: 'table {fx}.needs',
  },
  {
    code: 'HT608',
    name: 'with a tenant',
    fires: `CREATE TABLE tasks (tenant int, id int, PRIMARY KEY (tenant, id));
      CREATE TABLE needs (tenant int, task int, on_task int, PRIMARY KEY (tenant, task, on_task),
        FOREIGN KEY (tenant, task) REFERENCES tasks, FOREIGN KEY (tenant, on_task) REFERENCES tasks)`,
    near: `CREATE TABLE tasks (tenant int, id int, PRIMARY KEY (tenant, id)); CREATE TABLE tags (tenant int, id int, PRIMARY KEY (tenant, id));
      CREATE TABLE tagged (tenant int, task int, tag int, PRIMARY KEY (tenant, task, tag),
        FOREIGN KEY (tenant, task) REFERENCES tasks, FOREIGN KEY (tenant, tag) REFERENCES tags)`,
    subject: 'table {fx}.needs',
  },
  {
    code: 'HT609',
    fires: `CREATE TABLE users (id int PRIMARY KEY, slug text UNIQUE, deleted_at timestamptz); INSERT INTO users VALUES (1, 'a', now())`,
    near: `CREATE TABLE users (id int PRIMARY KEY, slug text, number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, code text UNIQUE, deleted_at timestamptz);
      CREATE UNIQUE INDEX ON users (slug) WHERE deleted_at IS NULL; CREATE TABLE t (code text REFERENCES users (code))`,
    subject: 'index users_slug_key on {fx}.users',
    fails: {
      sql: `INSERT INTO {fx}.users VALUES (2, 'a')`,
      with: 'duplicate key value violates unique constraint "users_slug_key"',
    },
  },
  {
    code: 'HT609',
    name: 'index',
    fires: `CREATE TABLE users (id int PRIMARY KEY, tenant int, slug text, deleted_at timestamptz); CREATE UNIQUE INDEX slugs ON users (tenant, slug) NULLS NOT DISTINCT`,
    near: `CREATE TABLE users (id int PRIMARY KEY, slug text, deleted_at timestamptz NOT NULL, UNIQUE (slug))`,
    subject: 'index slugs on {fx}.users',
  },
  {
    code: 'HT610',
    fires: `CREATE TABLE users (id int PRIMARY KEY, email varchar(255) UNIQUE); INSERT INTO users VALUES (1, 'b@x'), (2, 'B@y')`,
    near: `CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE CHECK (email = lower(email)), login text);
      CREATE UNIQUE INDEX ON users (lower(login)); CREATE TABLE mails (id int PRIMARY KEY, email text)`,
    subject: 'column email on {fx}.users',
  },
  {
    code: 'HT611',
    fires: `CREATE TABLE policies (table_name text, retention_days int); INSERT INTO policies VALUES ('a', 5), ('b', 5)`,
    near: `CREATE TABLE policies (table_name text PRIMARY KEY, retention_days int CHECK (retention_days > 0)); CREATE TABLE t (table_name text, days int)`,
    subject: 'table {fx}.policies',
  },
  {
    code: 'HT612',
    fires: `CREATE TABLE messages (id uuid PRIMARY KEY, message_id varchar(255)); CREATE TABLE queue (message_id uuid REFERENCES messages)`,
    near: `CREATE TABLE messages (id uuid PRIMARY KEY, message_id uuid); CREATE TABLE queue (message_id uuid REFERENCES messages, agent_message uuid REFERENCES messages)`,
    subject: 'column message_id on {fx}.queue',
    severity: 'info',
    fails: {
      sql: 'SELECT FROM {fx}.queue q JOIN {fx}.messages m ON q.message_id = m.message_id',
      with: 'operator does not exist: uuid = character varying',
    },
    advised: true,
  },
  {
    code: 'HT613',
    fires: `CREATE TABLE t (data_size bigint, line_coverage numeric(5,2), note text); INSERT INTO t VALUES (1, 2)`,
    near: `CREATE TABLE t (data_size bigint CHECK (data_size >= 0), account text, discount text)`,
    subject: 'table {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT614',
    fires: `CREATE TABLE keeping_unread (table_name text PRIMARY KEY, retention_days int CHECK (retention_days > 0))`,
    near: `CREATE TABLE keeping_read (table_name text PRIMARY KEY, retention_days int CHECK (retention_days > 0));
      CREATE FUNCTION go() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM * FROM keeping_read; END$$`,
    subject: 'table {fx}.keeping_unread',
    advised: true,
  },
]);
