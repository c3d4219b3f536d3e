// HT9xx on a real server: what fires, what does not.
import { fixtures } from './fixtures.ts';

fixtures('other', [
  {
    code: 'HT901',
    fires: `CREATE TABLE message_queue (id int, status text, attempts int, scheduled_for timestamptz)`,
    near: `CREATE TABLE message_queue (id int, status text, attempts int, locked_by text, locked_until timestamptz);
      CREATE TABLE orders (id int, status text, attempts int); CREATE TABLE queue_names (name text)`,
    subject: 'table {fx}.message_queue',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT902',
    fires: `CREATE TABLE messages (id int PRIMARY KEY); CREATE TABLE message_queue (id int, message_id int CONSTRAINT what REFERENCES messages, status text, attempts int)`,
    near: `CREATE TABLE messages (id int PRIMARY KEY); CREATE TABLE message_queue (id int, message_id int REFERENCES messages, status text, attempts int);
      CREATE UNIQUE INDEX ON message_queue (message_id) WHERE status = 'pending'`,
    subject: 'foreign key what on {fx}.message_queue',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT903',
    fires: `CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz)`,
    near: `CREATE TABLE schema_migrations (version text PRIMARY KEY, checksum text); CREATE TABLE migrations_done (name text)`,
    subject: 'table {fx}.schema_migrations',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT904',
    fires: `CREATE TABLE events (id bigint PRIMARY KEY, created_at timestamptz); UPDATE pg_class SET reltuples = 25000000 WHERE oid = 'events'::regclass`,
    near: `CREATE TABLE events (id bigint, created_at timestamptz, PRIMARY KEY (id, created_at)); UPDATE pg_class SET reltuples = 25000000 WHERE oid = 'events'::regclass;
      CREATE TABLE few (id bigint PRIMARY KEY, created_at timestamptz)`,
    subject: 'table {fx}.events',
    says: ['about 25 million rows; its key is (id)'],
    advised: true,
  },
  {
    code: 'HT905',
    fires: `CREATE TABLE messages (id int, ttl int)`,
    near: `CREATE TABLE messages (id int, ttl int, expires_at timestamptz); CREATE TABLE shuttles (id int, shuttle int)`,
    subject: 'column ttl on {fx}.messages',
    advised: true,
  },
]);
