// HT4xx on a real server: monitoring in any database, and jobs on a server with pg_cron where there is one.
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { findTraps, type Finding } from '../../../src/prove/traps/index.ts';
import { cronServer, noCron } from '../../cluster/cron-server.ts';
import { fixtures } from './fixtures.ts';

fixtures('jobs', [
  {
    code: 'HT403',
    fires: `CREATE FUNCTION plan() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM cron.schedule('a', '* * * * *', 'SELECT 1'); END$$`,
    near: `CREATE FUNCTION plan() RETURNS void LANGUAGE plpgsql AS $$BEGIN
        IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN PERFORM cron.schedule('a', '* * * * *', 'SELECT 1'); END IF; END$$`,
    subject: 'function {fx}.plan()',
    advised: true,
    fails: { sql: 'SELECT {fx}.plan()', with: 'schema "cron" does not exist' },
  },
  {
    code: 'HT405',
    fires: `CREATE FUNCTION used() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT tablename::text FROM pg_stat_user_indexes; END$$`,
    near: `CREATE FUNCTION used() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT relname::text AS tablename FROM pg_stat_user_indexes; END$$;
      CREATE FUNCTION twofold() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT t.tablename::text FROM pg_tables t JOIN pg_stat_user_indexes s ON s.relname = t.tablename; END$$`,
    subject: 'function {fx}.used()',
    advised: true,
    fails: { sql: 'SELECT {fx}.used()', with: 'column "tablename" does not exist' },
  },
  {
    code: 'HT405',
    name: 'checkpoints',
    from: 17,
    fires: `CREATE FUNCTION timed() RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT checkpoints_timed FROM pg_stat_bgwriter); END$$`,
    near: `CREATE FUNCTION timed() RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT num_timed FROM pg_stat_checkpointer); END$$`,
    subject: 'function {fx}.timed()',
    advised: true,
    fails: { sql: 'SELECT {fx}.timed()', with: 'column "checkpoints_timed" does not exist' },
  },
  {
    code: 'HT406',
    fires: `CREATE TABLE "MixedCase" (n int); CREATE VIEW sizes AS SELECT schemaname, tablename, pg_size_pretty(pg_total_relation_size(schemaname||'.'||tablename)) AS size FROM pg_tables WHERE schemaname = '{fx}'`,
    near: `CREATE TABLE "Mixed Case" (n int); CREATE VIEW sizes AS SELECT pg_total_relation_size(quote_ident(schemaname)||'.'||quote_ident(tablename)) AS size FROM pg_tables WHERE schemaname = '{fx}';
      CREATE VIEW by_oid AS SELECT relname || '.' AS name, pg_total_relation_size(oid) AS size FROM pg_class`,
    subject: 'view {fx}.sizes',
    severity: 'error',
    fails: { sql: 'TABLE {fx}.sizes', with: 'does not exist' },
  },
  {
    code: 'HT406',
    name: 'in a function',
    fires: `CREATE FUNCTION total() RETURNS numeric LANGUAGE sql AS $$SELECT sum(pg_total_relation_size(schemaname || '.' || tablename)) FROM pg_tables$$`,
    near: `CREATE FUNCTION total() RETURNS numeric LANGUAGE sql AS $$SELECT sum(pg_total_relation_size(format('%I.%I', schemaname, tablename))) FROM pg_tables$$`,
    subject: 'function {fx}.total()',
  },
  {
    code: 'HT407',
    fires: `CREATE FUNCTION slow() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT query FROM pg_stat_statements; END$$`,
    near: `CREATE FUNCTION slow() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT query FROM pg_stat_statements; EXCEPTION WHEN undefined_table THEN RETURN; END$$`,
    subject: 'function {fx}.slow()',
    advised: true,
    fails: { sql: 'SELECT {fx}.slow()', with: 'relation "pg_stat_statements" does not exist' },
  },
  {
    code: 'HT408',
    alone: true,
    fires: `CREATE EXTENSION pg_stat_statements SCHEMA public; CREATE VIEW slow AS SELECT query FROM pg_stat_statements WHERE mean_exec_time > 100`,
    near: `CREATE EXTENSION pg_stat_statements SCHEMA public; CREATE VIEW slow AS SELECT query FROM pg_stat_statements
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    subject: 'view {fx}.slow',
    advised: true,
  },
]);

// PostgreSQL 15 writes the setting's name without quotes.
const NOT_LOADED = 'pg_stat_statements must be loaded via ';
const why = await noCron();

async function look(url: string): Promise<readonly Finding[]> {
  const { findings } = await findTraps({ url, boundaries: [], now: new Date('2026-11-21T10:00:00Z') });
  return findings.filter(({ code }) => code.startsWith('HT4'));
}

test.skipIf(why !== undefined)(
  `jobs of pg_cron${why === undefined ? '' : `: ${why}`}`,
  { timeout: 120_000 },
  async () => {
    const server = await cronServer();
    const client = new Client(server.url);
    await client.connect();
    try {
      await client.query(JOBS);
      await client.query('CREATE EXTENSION pg_stat_statements');
      await expect(client.query('TABLE pg_stat_statements')).rejects.toThrow(NOT_LOADED);
      const findings = await look(server.url);
      expect(findings.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`)).toEqual(
        [
          'HT401 error job broken',
          'HT402 error job missing-function',
          'HT402 error job missing-table',
          'HT402 error job two-statements',
          'HT402 error job vacuum-in-function',
          'HT407 error extension pg_stat_statements',
          'HT404 warning jobs archive, backup, vacuum',
          'HT409 warning job create-partitions',
        ]
          .toSorted((a, b) => (a < b ? -1 : 1))
          .toSorted((a, b) => Number(b.includes('error')) - Number(a.includes('error'))),
      );
      const said = (subject: string): string | undefined =>
        findings.find((one) => one.subject === subject)?.effect;
      expect(said('extension pg_stat_statements')).toContain(NOT_LOADED);
      expect(said('job broken')).toBe('The last said: ERROR:  division by zero');
      expect(said('job missing-function')).toBe('Every run fails: function tidy_all(…) does not exist.');
      expect(said('job missing-table')).toBe('Every run fails: relation "archive.outputs" does not exist.');
      for (const { mend } of findings) for (const statement of mend) await client.query(statement);
      expect((await look(server.url)).filter(({ code }) => code === 'HT404')).toEqual([]);

      await client.query(`CREATE ROLE looker LOGIN PASSWORD 'only-for-tests'`);
      const as = new URL(server.url);
      as.username = 'looker';
      as.password = 'only-for-tests';
      const { unseen } = await findTraps({
        url: as.href,
        boundaries: [],
        now: new Date(),
        only: ['HT401', 'HT405'],
      });
      expect(unseen).toEqual([
        { code: 'HT401', why: 'role looker may not read cron.job and cron.job_run_details' },
      ]);
    } finally {
      await client.end();
      await server.stop();
    }
  },
);

// Run details as pg_cron writes them: a minute would be waited for each real one.
const JOBS = `
  CREATE EXTENSION pg_cron; CREATE TABLE t (n int); CREATE ROLE other;
  CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'VACUUM t'; END$$;
  CREATE FUNCTION fine() RETURNS int LANGUAGE sql AS 'SELECT 1';
  SELECT cron.schedule('broken', '*/5 * * * *', 'SELECT 1/0');
  SELECT cron.schedule('recovered', '*/5 * * * *', 'SELECT fine()');
  INSERT INTO cron.job_run_details (jobid, runid, status, return_message) VALUES
    (1, 9001, 'failed', E'ERROR:  division by zero\\nmore'), (1, 9002, 'failed', E'ERROR:  division by zero\\nmore'),
    (2, 9003, 'failed', 'ERROR:  x'), (2, 9004, 'succeeded', '1 row');
  SELECT cron.schedule('missing-function', '1 1 * * *', 'SELECT tidy_all()');
  SELECT cron.schedule('missing-table', '2 1 * * *', 'DELETE FROM archive.outputs');
  SELECT cron.schedule('vacuum-in-function', '3 1 * * *', 'SELECT tidy()');
  SELECT cron.schedule('two-statements', '4 1 * * *', 'VACUUM t; VACUUM t;');
  SELECT cron.schedule('archive', '0 2 * * 0', 'SELECT fine()');
  SELECT cron.schedule('backup', '0 2 * * *', 'VACUUM t;');
  SELECT cron.schedule('vacuum', '0 2 * * 0', 'VACUUM t');
  SELECT cron.schedule('create-partitions', '7 5 1 * *', 'SELECT fine()');
  INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username, jobname)
    VALUES ('9 6 1 * *', 'SELECT fine()', '', 5432, 'postgres', 'other', 'create-partitions');`;
