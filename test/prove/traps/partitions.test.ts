// HT5xx on a real server: what fires, what does not, and that the mends mend.
import { expect } from 'vitest';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { test } from '../../cluster/index.ts';
import { fixtures } from './fixtures.ts';

/** Months from the running one on, in UTC, as partitions of `t`; `shift` moves every bound. */
const months = (from: number, to: number, shift = '0'): string => `
  DO $do$ DECLARE a timestamp; b timestamp; BEGIN
    FOR i IN ${from}..${to} LOOP
      a := date_trunc('month', now() AT TIME ZONE 'UTC') + i * interval '1 month';
      b := a + interval '1 month';
      EXECUTE format('CREATE TABLE t_%s PARTITION OF t FOR VALUES FROM (%L) TO (%L)', to_char(a, 'YYYY_MM'),
                     a + interval '${shift}' || '+00', b + interval '${shift}' || '+00');
    END LOOP; END $do$;`;
const TABLE = `CREATE TABLE t (id bigint, at timestamptz NOT NULL, note text) PARTITION BY RANGE (at);`;
const HAND = (name: string, from: string, to: string): string =>
  `CREATE TABLE ${name} PARTITION OF t FOR VALUES FROM ('${from} 00:00:00+00') TO ('${to} 00:00:00+00');`;
const MAKER = (body: string, declare = ''): string => `
  CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $f$ DECLARE ${declare} BEGIN ${body} END $f$;`;

fixtures('partitions', [
  {
    code: 'HT501',
    name: 'ended',
    fires: TABLE + months(-9, -6),
    near: TABLE + months(-2, 2),
    subject: 'table {fx}.t',
    severity: 'error',
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (1, now())`,
      with: 'no partition of relation "t" found for row',
    },
  },
  {
    code: 'HT501',
    name: 'last',
    fires: TABLE + months(-1, 0),
    near: `CREATE TABLE t (id bigint, at date NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE t_old PARTITION OF t FOR VALUES FROM ('0044-03-15 BC') TO ('0099-01-01');
      CREATE TABLE t_mid PARTITION OF t FOR VALUES FROM ('0099-01-01') TO ('2020-01-01');
      CREATE TABLE t_all PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('12020-01-01');
      CREATE TABLE u (at timestamptz NOT NULL) PARTITION BY RANGE (at); CREATE TABLE u_1 PARTITION OF u FOR VALUES FROM (MINVALUE) TO (MAXVALUE);`,
    subject: 'table {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT501',
    name: 'none, under row security',
    fires: `${TABLE} ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`,
    near: `${TABLE} CREATE TABLE t_rest PARTITION OF t DEFAULT;`,
    subject: 'table {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT501',
    name: 'bounds of another zone',
    fires: TABLE + months(-3, -1, '3 hours'),
    near: TABLE + months(-3, 2, '3 hours'),
    subject: 'table {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT501',
    name: 'open below',
    fires: `${TABLE} CREATE TABLE t_old PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00+00');`,
    near: `${TABLE} CREATE TABLE t_old PARTITION OF t FOR VALUES FROM (MINVALUE) TO (MAXVALUE);`,
    subject: 'table {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT501',
    name: 'between',
    fires: TABLE + months(-5, -3) + months(3, 4),
    near: TABLE + months(-1, 4),
    subject: 'table {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT501',
    name: 'weeks under a name of months',
    fires: `${TABLE} DO $do$ DECLARE a timestamp; BEGIN
        a := date_trunc('week', now() AT TIME ZONE 'UTC') - interval '4 weeks';
        EXECUTE format('CREATE TABLE t_2026_10 PARTITION OF t FOR VALUES FROM (%L) TO (%L)', a || '+00', a + interval '1 week' || '+00');
      END $do$`,
    near: TABLE + months(-1, 3),
    subject: 'table {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT501',
    name: 'days',
    fires: `${TABLE} ${HAND('t_20240101', '2024-01-01', '2024-01-02')}`,
    near: `CREATE TABLE t (id bigint, at timestamptz NOT NULL) PARTITION BY LIST (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
      CREATE TABLE archived (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at); GRANT SELECT ON archived TO {app}`,
    subject: 'table {fx}.t',
    says: ['They end at 2024-01-02'],
  },
  {
    code: 'HT502',
    fires: `${TABLE} ${months(0, 2)} CREATE TABLE t_rest PARTITION OF t DEFAULT;`,
    near: `CREATE TABLE t (id bigint, kind text) PARTITION BY LIST (kind);
      CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a'); CREATE TABLE t_rest PARTITION OF t DEFAULT;`,
    subject: 'table {fx}.t_rest',
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (1, '2020-01-05'); CREATE TABLE {fx}.late PARTITION OF {fx}.t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')`,
      with: 'updated partition constraint for default partition "t_rest" would be violated by some row',
    },
    advised: true,
  },
  {
    code: 'HT503',
    fires: `${TABLE} ${HAND('t_2024_01', '2024-01-01', '2024-02-01')} ${HAND('t_2024_03', '2024-03-01', '2024-04-01')}`,
    near: `${TABLE} ${HAND('t_2024_01', '2024-01-01', '2024-02-01')} ${HAND('t_2024_02', '2024-02-01', '2024-04-01')}`,
    subject: 'table {fx}.t_2024_03',
    severity: 'warning',
    says: ['from 2024-02-01 to 2024-03-01'],
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (1, '2024-02-10')`,
      with: 'no partition of relation "t" found for row',
    },
  },
  {
    code: 'HT503',
    name: 'ahead',
    fires: TABLE + months(0, 1) + months(4, 5),
    near: TABLE + months(0, 5),
    subject: `table {fx}.${(() => {
      const now = new Date();
      const at = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 4, 1)).toISOString();
      return `t_${at.slice(0, 4)}_${at.slice(5, 7)}`;
    })()}`,
    severity: 'error',
  },
  {
    code: 'HT504',
    fires: `${TABLE} SET LOCAL TimeZone = 'America/Sao_Paulo';
      CREATE TABLE t_2027_02 PARTITION OF t FOR VALUES FROM ('2027-02-01') TO ('2027-03-01')`,
    near: `${TABLE} SET LOCAL TimeZone = 'UTC';
      CREATE TABLE t_2027_02 PARTITION OF t FOR VALUES FROM ('2027-02-01') TO ('2027-03-01')`,
    subject: 'table {fx}.t',
    severity: 'warning',
    says: ['2 of 2 bounds of its partitions are not midnight UTC, such as 2027-02-01 03:00:00 UTC'],
    advised: true,
  },
  {
    code: 'HT504',
    name: 'two zones',
    fires: `${TABLE} ${HAND('t_2027_01', '2027-01-01', '2027-02-01')} SET LOCAL TimeZone = 'America/Sao_Paulo';
      CREATE TABLE t_2027_02 PARTITION OF t FOR VALUES FROM ('2027-02-01') TO ('2027-03-01')`,
    near: `${TABLE} CREATE TABLE t_h PARTITION OF t FOR VALUES FROM ('2027-02-01 03:00+00') TO ('2027-02-01 04:00+00')`,
    subject: 'table {fx}.t',
    severity: 'error',
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (1, '2027-02-01 01:00+00')`,
      with: 'no partition of relation "t" found for row',
    },
    advised: true,
  },
  {
    code: 'HT505',
    fires: `${TABLE} ${HAND('t_2024_01', '2025-01-01', '2025-02-01')}`,
    near: `${TABLE} ${HAND('t_y2025m01', '2025-01-01', '2025-02-01')} ${HAND('t_20250203', '2025-02-03', '2025-02-04')}
      CREATE TABLE t_2025_03 PARTITION OF t FOR VALUES FROM ('2025-02-28 21:00+00') TO ('2025-03-31 21:00+00')`,
    subject: 'table {fx}.t_2024_01',
    says: ['Its name says 2024-01 and it holds rows of {fx}.t from 2025-01-01 to 2025-02-01'],
    fails: {
      sql: `CREATE TABLE {fx}.t_2025_01 PARTITION OF {fx}.t FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00')`,
      with: 'would overlap partition "t_2024_01"',
    },
  },
  {
    code: 'HT506',
    fires: `${TABLE} ${HAND('t_1', '2025-01-01', '2025-02-01')}
      UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 't_1'::regclass`,
    near: `${TABLE} ${HAND('t_1', '2025-01-01', '2025-02-01')}`,
    subject: 'table {fx}.t_1',
    fails: {
      sql: `INSERT INTO {fx}.t VALUES (1, '2025-01-10')`,
      with: 'no partition of relation "t" found for row',
    },
  },
  {
    code: 'HT507',
    fires: MAKER(
      `EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', CURRENT_DATE, CURRENT_DATE + 1);`,
    ),
    near: `${MAKER(
      `EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', CURRENT_DATE, CURRENT_DATE + 1);`,
    )} ALTER FUNCTION make() SET timezone = 'UTC';
    CREATE FUNCTION other() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
      EXECUTE format('CREATE TABLE p PARTITION OF t FOR VALUES FROM (%L) TO (%L)', CURRENT_DATE || ' 00:00:00+00', CURRENT_DATE + 1 || ' 00:00:00+00'); END $f$;`,
    subject: 'function {fx}.make()',
  },
  {
    code: 'HT508',
    fires: MAKER(
      `s := date_trunc('month', CURRENT_DATE);
       EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', s, s + interval '1 month');`,
      's date;',
    ),
    near: `${MAKER(
      `s := date_trunc('month', CURRENT_DATE) + interval '1 month';
       EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', s, s + interval '1 month');`,
      's date;',
    )} CREATE FUNCTION ahead() RETURNS void LANGUAGE plpgsql AS $f$ DECLARE s date; BEGIN
      FOR i IN 0..3 LOOP s := date_trunc('month', CURRENT_DATE);
        EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', s, s); END LOOP; END $f$;`,
    subject: 'function {fx}.make()',
    advised: true,
  },
  {
    code: 'HT509',
    fires: MAKER(`EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', 'p', 1, 2);`),
    near: MAKER(
      `EXECUTE 'CREATE TABLE p (LIKE t)'; EXECUTE format('ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (%L) TO (%L)', 1, 2);`,
    ),
    subject: 'function {fx}.make()',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT510',
    fires: MAKER(`CREATE TABLE IF NOT EXISTS p PARTITION OF t FOR VALUES FROM (1) TO (2);`),
    near: MAKER(
      `CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2); CREATE TABLE IF NOT EXISTS log (n int);`,
    ),
    subject: 'function {fx}.make()',
    advised: true,
  },
  {
    code: 'HT511',
    fires: `CREATE TABLE outputs (id int, at timestamptz); CREATE TABLE outputs_partitioned (id int, at timestamptz) PARTITION BY RANGE (at);`,
    near: `CREATE TABLE outputs (id int, at timestamptz, more text); CREATE TABLE outputs_partitioned (id int, at timestamptz) PARTITION BY RANGE (at);`,
    subject: 'table {fx}.outputs_partitioned',
    advised: true,
  },
  {
    code: 'HT512',
    fires: `${TABLE} ${HAND('t_1', '2025-01-01', '2025-02-01')}
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'kept'; END$$;
      CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep(); ALTER TABLE t_1 DISABLE TRIGGER keep;`,
    near: `${TABLE} ${HAND('t_1', '2025-01-01', '2025-02-01')}
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'kept'; END$$;
      CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep(); ALTER TABLE t DISABLE TRIGGER keep;
      ALTER TABLE t_1 DISABLE TRIGGER keep;`,
    subject: 'trigger keep on {fx}.t_1',
    severity: 'error',
  },
  {
    code: 'HT513',
    fires: `CREATE TABLE t (id uuid, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    near: `CREATE TABLE t (id uuid PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id)`,
    subject: 'table {fx}.t',
    severity: 'info',
    fails: {
      sql: 'CREATE TABLE {fx}.lines (t uuid REFERENCES {fx}.t (id))',
      with: 'there is no unique constraint matching given keys for referenced table "t"',
    },
    advised: true,
  },
  {
    code: 'HT514',
    fires: `CREATE TABLE t (id int, at timestamptz) PARTITION BY RANGE (at)`,
    near: `CREATE TABLE t (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)`,
    subject: 'table {fx}.t',
    fails: {
      sql: 'INSERT INTO {fx}.t VALUES (1, NULL)',
      with: 'no partition of relation "t" found for row',
    },
  },
]);

test('a concurrent detach that is cut off is found, and FINALIZE ends it', async ({ db }) => {
  const other = await db.another();
  await other.query(`${TABLE} ${HAND('t_2024_01', '2024-01-01', '2024-02-01')}`);
  const reader = await other.pool.connect();
  const cut = await other.pool.connect();
  try {
    await reader.query('BEGIN; SELECT count(*) FROM t');
    await cut.query("SET statement_timeout = '200ms'");
    await expect(cut.query('ALTER TABLE t DETACH PARTITION t_2024_01 CONCURRENTLY')).rejects.toThrow(
      'canceling statement due to statement timeout',
    );
  } finally {
    await cut.query('RESET ALL');
    await reader.query('ROLLBACK');
    cut.release();
    reader.release();
  }
  const look = async (): Promise<readonly (readonly string[])[]> =>
    (await findTraps({ url: other.url, boundaries: [], only: ['HT506'], now: new Date() })).findings.map(
      ({ mend }) => mend,
    );
  const [mend] = await look();
  expect(mend).toEqual(['ALTER TABLE "public"."t" DETACH PARTITION "public"."t_2024_01" FINALIZE']);
  await other.query(mend?.[0] ?? '');
  expect(await look()).toEqual([]);
});
