// HT8xx on a real server: what fires, what does not, and that the mends mend.
import { expect } from 'vitest';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { ident } from '../../../src/sql.ts';
import { test } from '../../cluster/index.ts';
import { fixtures } from './fixtures.ts';

fixtures('values', [
  {
    code: 'HT801',
    name: 'serial',
    fires: `CREATE TABLE t (id serial PRIMARY KEY, note text); SELECT setval('t_id_seq', 2000000000)`,
    near: `CREATE TABLE t (id bigserial PRIMARY KEY, note text); SELECT setval('t_id_seq', 2000000000);
      CREATE TABLE u (id serial PRIMARY KEY); SELECT setval('u_id_seq', 1000000000);
      CREATE SEQUENCE round MAXVALUE 10 CYCLE; SELECT setval('round', 9)`,
    subject: 'sequence {fx}.t_id_seq',
    severity: 'error',
    says: ['It stands at 2000000000 of 2147483647: 93 % are used, for {fx}.t.id.'],
  },
  {
    code: 'HT801',
    name: 'identity',
    fires: `CREATE TABLE t (id smallint GENERATED ALWAYS AS IDENTITY); SELECT setval('t_id_seq', 25000)`,
    near: `CREATE TABLE t (id smallint GENERATED ALWAYS AS IDENTITY); SELECT setval('t_id_seq', 20000)`,
    subject: 'sequence {fx}.t_id_seq',
    severity: 'warning',
  },
  {
    code: 'HT801',
    name: 'a column that ends before its sequence',
    fires: `CREATE SEQUENCE numbers; CREATE TABLE t (id integer DEFAULT nextval('numbers')); SELECT setval('numbers', 2147483647)`,
    near: `CREATE SEQUENCE numbers; CREATE TABLE t (id bigint DEFAULT nextval('numbers')); SELECT setval('numbers', 2147483647)`,
    subject: 'sequence {fx}.numbers',
    fails: { sql: 'INSERT INTO {fx}.t DEFAULT VALUES', with: 'integer out of range' },
  },
  {
    code: 'HT801',
    name: 'ended',
    fires: `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 10)); SELECT setval('t_id_seq', 10)`,
    near: `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 10))`,
    subject: 'sequence {fx}.t_id_seq',
    fails: {
      sql: 'INSERT INTO {fx}.t DEFAULT VALUES',
      with: 'nextval: reached maximum value of sequence "t_id_seq" (10)',
    },
  },
  {
    code: 'HT802',
    fires: `CREATE TABLE t (id serial PRIMARY KEY)`,
    near: `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY, n serial)`,
    subject: 'column id on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT803',
    fires: `CREATE TABLE t (id uuid PRIMARY KEY, workflow_id int, execution_number serial, UNIQUE (workflow_id, execution_number))`,
    near: `CREATE TABLE t (id bigserial PRIMARY KEY, workflow_id int, execution_number int, UNIQUE (workflow_id, execution_number)); CREATE TABLE u (id bigserial UNIQUE)`,
    subject: 'column execution_number on {fx}.t',
    severity: 'warning',
    advised: true,
  },
  {
    code: 'HT804',
    fires: `CREATE TABLE t (id int, created_at timestamp, seen_at timestamp(3)); INSERT INTO t VALUES (1, now(), now())`,
    near: `CREATE TABLE t (id int, created_at timestamptz, day date, hour time)`,
    subject: 'table {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT804',
    name: 'that a view reads',
    fires: `CREATE TABLE t (id int, created_at timestamp); CREATE VIEW v AS SELECT created_at FROM t`,
    near: `CREATE TABLE t (id int, created_at timestamptz)`,
    subject: 'table {fx}.t',
    advised: true,
  },
  {
    code: 'HT805',
    fires: `CREATE TABLE t (created_at timestamptz DEFAULT CURRENT_TIMESTAMP)`,
    near: `CREATE TABLE t (created_at timestamptz NOT NULL DEFAULT now(), recorded_at timestamptz, deleted_at timestamptz)`,
    subject: 'column created_at on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT806',
    fires: `CREATE TABLE t (id int, updated_at timestamptz DEFAULT now()); INSERT INTO t VALUES (1)`,
    near: `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at := now(); RETURN NEW; END$$;
      CREATE TABLE t (id int, updated_at timestamptz DEFAULT now()); CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
      CREATE TABLE u (id int, updated_at timestamptz)`,
    subject: 'column updated_at on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT806',
    name: 'a trigger that does something else',
    fires: `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.id := 1; RETURN NEW; END$$;
      CREATE TABLE t (id int, updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t DEFAULT;
      CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()`,
    near: `CREATE TABLE t (id int, updated_by text DEFAULT 'nobody')`,
    subject: 'column updated_at on {fx}.t',
  },
  {
    code: 'HT807',
    fires: `CREATE TABLE t (database_name varchar(50))`,
    near: `CREATE TABLE t (database_name varchar(63), table_name text, file_name varchar(20), schema_name name)`,
    subject: 'column database_name on {fx}.t',
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (repeat('n', 63))`,
      with: 'value too long for type character varying(50)',
    },
  },
  {
    code: 'HT808',
    fires: `CREATE TABLE rules (id int, version text, UNIQUE (id, version))`,
    near: `CREATE TABLE rules (id int, version int, note_version text, UNIQUE (id, version)); CREATE TABLE schema_migrations (version text PRIMARY KEY)`,
    subject: 'column version on {fx}.rules',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT809',
    fires: `CREATE TABLE t (duration_ms integer)`,
    near: `CREATE TABLE t (duration_ms double precision, duration_us integer, items integer)`,
    subject: 'column duration_ms on {fx}.t',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT810',
    fires: `CREATE TABLE t (content_sha256 varchar(64))`,
    near: `CREATE TABLE t (content_sha256 varchar(64) CHECK (content_sha256 ~ '^[0-9a-f]{64}$'), digest bytea, password_hash text,
      key_hash text GENERATED ALWAYS AS (md5('x')) STORED)`,
    subject: 'column content_sha256 on {fx}.t',
    severity: 'info',
    advised: true,
  },
]);

test('a sequence that may not be read is told', async ({ db }) => {
  const blind = db.role('blind');
  const other = await db.another();
  await other.query(
    `CREATE SCHEMA s; CREATE SEQUENCE s.hidden; CREATE ROLE ${ident(blind)} LOGIN PASSWORD 'blind'`,
  );
  const { findings, unseen } = await findTraps({
    url: other.urlAs(blind, 'blind'),
    boundaries: [],
    only: ['HT801'],
    now: new Date(),
  });
  expect(findings).toEqual([]);
  expect(unseen).toEqual([{ code: 'HT801', why: '1 sequences may not be read by this role: s.hidden …' }]);
});
