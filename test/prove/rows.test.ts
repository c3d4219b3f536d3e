// Whose rows are made: worlds, settings, shared rows, partitions, and what is said when a table takes none.
import { describe, expect } from 'vitest';
import { populate } from '../../src/prove/rows/index.ts';
import { withCopy } from '../../src/prove/copy/index.ts';
import { test } from '../cluster/index.ts';
import { boundary, expectClosed, expectTrue, filled, now, rowsOf } from './filling/in-place.ts';

describe('worlds', () => {
  test('an owner’s name is the same in every column that holds it, and in the setting', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE TABLE tenants (id bigserial PRIMARY KEY, name text NOT NULL);
       CREATE TABLE apart (tenant_id bigint NOT NULL, note text);
       CREATE TABLE docs (id serial PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants, body text);
       CREATE TABLE lines (id serial PRIMARY KEY, doc_id int NOT NULL REFERENCES docs, body varchar(12) NOT NULL)`,
      { boundaries: [boundary('app.tenant', [['docs', 'tenant_id']])], worlds: 3 },
    );
    expect(population.worlds.map(({ settings }) => settings)).toEqual([
      { 'app.tenant': '1' },
      { 'app.tenant': '2' },
      { 'app.tenant': '3' },
    ]);
    for (const { number } of population.worlds) {
      for (const table of ['docs', 'apart']) {
        expect(rowsOf(population, number, table).map((row) => row['tenant_id'])).toEqual([
          String(number),
          String(number),
        ]);
      }
    }
    await expectClosed(db, population);
    await expectTrue(db, population);
  });

  test('values in one setting’s JSON make one token, each at its keys', async ({ db }) => {
    const tenants = boundary('request.jwt.claims', [['docs', 'tenant_id']]);
    const people = boundary('request.jwt.claims', [['notes', 'owner_id']]);
    const population = await filled(
      db,
      `CREATE TABLE docs (id serial PRIMARY KEY, tenant_id int NOT NULL);
       CREATE TABLE notes (id serial PRIMARY KEY, owner_id uuid NOT NULL)`,
      {
        boundaries: [
          { ...tenants, within: ['app_metadata', 'tenant_id'] },
          { ...people, within: ['sub'] },
        ],
      },
    );
    for (const { number, settings, names } of population.worlds) {
      const tenant = rowsOf(population, number, 'docs')[0]?.['tenant_id'];
      const owner = rowsOf(population, number, 'notes')[0]?.['owner_id'];
      expect(names).toEqual([tenant, owner]);
      expect(Object.keys(settings)).toEqual(['request.jwt.claims']);
      expect(JSON.parse(settings['request.jwt.claims'] ?? '')).toEqual({
        app_metadata: { tenant_id: tenant },
        sub: owner,
      });
    }
  });

  test('every text that has room carries the world’s marker', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE TABLE notes (tenant_id uuid NOT NULL, id serial PRIMARY KEY, body text NOT NULL, title varchar(8) NOT NULL, data jsonb, raw bytea, tags text[], mail text, search tsvector)`,
    );
    for (const { number, marker } of population.worlds) {
      for (const row of rowsOf(population, number, 'notes')) {
        expect(row['title']).toMatch(marker.slice(0, 2));
        for (const name of ['body', 'data', 'tags', 'mail', 'search']) expect(row[name]).toContain(marker);
        expect(row['raw']).toContain(Buffer.from(marker).toString('hex'));
      }
    }
  });

  test('the same seed gives the same rows, another seed others', async ({ db }) => {
    const sql = `CREATE TABLE t (tenant_id uuid NOT NULL, id uuid PRIMARY KEY DEFAULT gen_random_uuid(), a text NOT NULL CHECK (a ~ '^[a-z]{9}$'), at timestamptz DEFAULT now(), n int NOT NULL)`;
    const first = await filled(db, sql, { seed: 5 });
    expect(await filled(db, sql, { seed: 5 })).toEqual(first);
    expect(rowsOf(await filled(db, sql, { seed: 6 }), 1, 't')).not.toEqual(rowsOf(first, 1, 't'));
  });

  test('names are made that every column takes which will hold one', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE DOMAIN slug AS text CHECK (VALUE ~ '^org_[a-z0-9]+$');
       CREATE TABLE a_first (tenant_id slug NOT NULL);
       CREATE TABLE b (tenant_id text NOT NULL CHECK (length(tenant_id) < 14), note text);
       CREATE TABLE c (tenant_id varchar(20) NOT NULL)`,
      {
        boundaries: [
          boundary('app.org', [
            ['a_first', 'tenant_id'],
            ['b', 'tenant_id'],
            ['c', 'tenant_id'],
          ]),
        ],
      },
    );
    expect(population.empty).toEqual([]);
    for (const { number, settings } of population.worlds) {
      expect(settings['app.org']).toMatch(/^org_[a-z0-9]{1,9}$/);
      for (const table of ['a_first', 'b'])
        expect(rowsOf(population, number, table)[0]?.['tenant_id']).toBe(settings['app.org']);
    }
  });

  test('a setting that is looked up among members is the key of the row it is about', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE TABLE users (id uuid PRIMARY KEY, mail text); CREATE TABLE orgs (id serial PRIMARY KEY, name text);
       CREATE TABLE members (org_id int REFERENCES orgs, user_id uuid REFERENCES users, role text, PRIMARY KEY (org_id, user_id));
       CREATE TABLE projects (id serial PRIMARY KEY, org_id int NOT NULL REFERENCES orgs, name text);
       CREATE TABLE countries (code char(2) PRIMARY KEY);
       ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
       CREATE POLICY seen ON projects USING (org_id IN (SELECT org_id FROM members WHERE user_id::text = current_setting('app.user', true) AND role = 'admin'))`,
      { boundaries: [boundary('app.user', [['members', 'user_id']], ['countries'])] },
    );
    for (const { number, settings } of population.worlds) {
      const members = rowsOf(population, number, 'members');
      expect(members.map((row) => [row['user_id'], row['role']])).toEqual([
        [settings['app.user'], 'admin'],
        [settings['app.user'], 'admin'],
      ]);
      expect(rowsOf(population, number, 'users').map((row) => row['id'])).toContain(settings['app.user']);
    }
    const ofOne = new Set(rowsOf(population, 1, 'orgs').map((row) => row['id']));
    expect(rowsOf(population, 2, 'orgs').some((row) => ofOne.has(row['id'] ?? ''))).toBe(false);
    expect(rowsOf(population, 0, 'countries')).toHaveLength(2);
    await expectClosed(db, population);
  });

  test('rows stand on each side of what a policy compares a column with, where the table takes them', async ({
    db,
  }) => {
    const population = await filled(
      db,
      `CREATE TABLE t (tenant_id int NOT NULL, day date NOT NULL, at timestamptz NOT NULL DEFAULT now(), level smallint NOT NULL CHECK (level BETWEEN 0 AND 9),
         score numeric(2, 1) NOT NULL, old timestamp NOT NULL, PRIMARY KEY (tenant_id, day)) PARTITION BY RANGE (day);
       CREATE TABLE t_19 PARTITION OF t FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
       CREATE TABLE t_26 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
       CREATE POLICY own ON t USING (tenant_id = current_setting('app.tenant_id')::int OR day < '2019-01-01' OR '2018-06-01 12:00+00' >= at
         OR level > 8 OR score > 9.8 OR old < now() - interval '7 years' OR level IN (3, 5))`,
    );
    for (const { number } of population.worlds) {
      const rows = rowsOf(population, number, 't');
      const held = (column: string): Set<string | null | undefined> =>
        new Set(rows.map((row) => row[column]));
      expect([...held('day')]).toContain('2019-01-02');
      expect([...held('day')].some((day) => day != null && day < '2019-01-01')).toBe(false);
      expect([...held('at')]).toEqual(
        expect.arrayContaining(['2018-06-01 11:59:59+00', '2018-06-01 12:00:01+00']),
      );
      expect([...held('level')]).toEqual(expect.arrayContaining(['7', '9', '3', '5']));
      expect([...held('score')]).toEqual(expect.arrayContaining(['9.7', '9.9']));
    }
    const lapsed = await db.query(
      `SELECT tenant_id FROM t GROUP BY 1 HAVING bool_or(old < now() - interval '7 years') AND bool_or(old BETWEEN now() - interval '7 years' AND now() - interval '6 years 11 months')`,
    );
    expect(lapsed).toHaveLength(population.worlds.length);
    await expectTrue(db, population);
  });

  test('two settings are both known, and what is shared to both is nobody’s', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE plans (id serial PRIMARY KEY);
       CREATE TABLE a (tenant_id uuid NOT NULL, user_id int NOT NULL REFERENCES users, plan int REFERENCES plans)`,
      {
        boundaries: [
          boundary('app.t', [['a', 'tenant_id']], ['plans', 'users']),
          boundary('app.u', [['a', 'user_id']], ['plans']),
        ],
      },
    );
    for (const { number, settings } of population.worlds) {
      expect(rowsOf(population, number, 'a')[0]).toMatchObject({
        tenant_id: settings['app.t'],
        user_id: settings['app.u'],
      });
    }
    expect(rowsOf(population, 0, 'plans')).toHaveLength(2);
    expect(rowsOf(population, 0, 'users')).toEqual([]);
  });

  test('fewer than two worlds are refused', async ({ db }) => {
    await expect(filled(db, 'CREATE TABLE t (n int)', { worlds: 1 })).rejects.toMatchObject({
      code: 'HF_WORLDS',
    });
  });
});

describe('partitions', () => {
  test('every leaf gets a row, by range, list, hash, below one another and by default', async ({ db }) => {
    const population = await filled(
      db,
      `CREATE TABLE r (tenant_id uuid, at timestamptz, id bigserial, PRIMARY KEY (tenant_id, at, id)) PARTITION BY RANGE (at);
       CREATE TABLE r_old PARTITION OF r FOR VALUES FROM (MINVALUE) TO ('2020-01-01 00:00+00');
       CREATE TABLE r_1 PARTITION OF r FOR VALUES FROM ('2030-01-01 00:00+00') TO ('2030-02-01 00:00+00') PARTITION BY LIST (tenant_id);
       CREATE TABLE r_1_all PARTITION OF r_1 DEFAULT;
       CREATE TABLE r_rest PARTITION OF r DEFAULT;
       CREATE TABLE l (tenant_id uuid, kind text) PARTITION BY LIST (kind);
       CREATE TABLE l_a PARTITION OF l FOR VALUES IN ('a', 'b'); CREATE TABLE l_n PARTITION OF l FOR VALUES IN (NULL);
       CREATE TABLE h (tenant_id uuid, id int) PARTITION BY HASH (id);
       CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       CREATE TABLE two (tenant_id uuid, a int, b date, CHECK (a > 5)) PARTITION BY RANGE (a, b);
       CREATE TABLE two_1 PARTITION OF two FOR VALUES FROM (1, '2026-01-01') TO (10, '2026-02-01');
       CREATE TABLE e (tenant_id uuid, at timestamptz NOT NULL) PARTITION BY RANGE (date_part('year', at AT TIME ZONE 'UTC'));
       CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM (2027) TO (2028)`,
    );
    const counts = await db.query<{ leaf: string; worlds: string }>(
      `SELECT x.leaf, count(DISTINCT x.tenant_id) AS worlds FROM (
         SELECT tableoid::regclass::text AS leaf, tenant_id FROM r UNION ALL SELECT tableoid::regclass::text, tenant_id FROM l
         UNION ALL SELECT tableoid::regclass::text, tenant_id FROM h UNION ALL SELECT tableoid::regclass::text, tenant_id FROM two
         UNION ALL SELECT tableoid::regclass::text, tenant_id FROM e) x GROUP BY 1 ORDER BY 1`,
    );
    expect(population.empty).toEqual([]);
    expect(counts.map(({ leaf, worlds }) => `${leaf} ${worlds}`)).toEqual(
      ['e_1', 'h_0', 'h_1', 'l_a', 'l_n', 'r_1_all', 'r_old', 'r_rest', 'two_1'].map((leaf) => `${leaf} 2`),
    );
    await expectTrue(db, population);
  });

  test('where there is none, the copy gets one, with what default privileges give it', async ({ db }) => {
    const owner = db.role('owner');
    const app = db.role('app');
    await db.query(`CREATE ROLE ${owner}; CREATE ROLE ${app}`);
    const population = await filled(
      db,
      `GRANT ALL ON SCHEMA public TO ${owner}; ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT SELECT ON TABLES TO ${app};
       SET ROLE ${owner}; CREATE TABLE bare (tenant_id uuid, at date) PARTITION BY RANGE (at); RESET ROLE`,
    );
    expect(population.notes).toEqual([
      {
        of: { schema: 'public', name: 'bare' },
        what: 'it has no partition; the copy has bare_hf_all for all rows',
      },
    ]);
    expect(rowsOf(population, 2, 'bare')).toHaveLength(2);
    const [may] = await db.query<{ may: boolean }>(
      `SELECT has_table_privilege($1, 'bare_hf_all', 'SELECT') AS may`,
      [app],
    );
    expect(may?.may).toBe(true);
    await db.query(`DROP OWNED BY ${owner}; DROP OWNED BY ${app}`);
  });
});

describe('what cannot be made in the ordinary way', () => {
  const tenants = 'CREATE TABLE tenants (id uuid PRIMARY KEY);';

  test('a table whose rules contradict each other is said to be empty, with PostgreSQL’s words', async ({
    db,
  }) => {
    const told = await filled(
      db,
      `${tenants} CREATE TABLE never (tenant_id uuid REFERENCES tenants, n int NOT NULL UNIQUE CHECK (n > 5), CHECK (n < 3));
       CREATE TABLE needs (tenant_id uuid NOT NULL, n int NOT NULL REFERENCES never (n))`,
    );
    expect(told.empty).toEqual([
      {
        of: { schema: 'public', name: 'never' },
        why: expect.stringMatching(
          /^new row for relation "never" violates check constraint "never_n_check1?" \(SQLSTATE 23514\)$/,
        ),
      },
      { of: { schema: 'public', name: 'needs' }, why: 'there is no row in public.never to refer to' },
    ]);
  });

  test('a trigger that refuses every row is passed over, which is said', async ({ db }) => {
    const population = await filled(
      db,
      `${tenants} CREATE TABLE guarded (tenant_id uuid REFERENCES tenants, n int);
       CREATE TABLE swallowed (tenant_id uuid REFERENCES tenants, n int);
       CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'only through the service'; END$$;
       CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
       CREATE TRIGGER refuse BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse();
       CREATE TRIGGER swallow BEFORE INSERT ON swallowed FOR EACH ROW EXECUTE FUNCTION swallow()`,
    );
    const what = 'its triggers refuse every row that was tried, so they were off';
    expect(population.empty).toEqual([]);
    expect(population.notes).toEqual([
      { of: { schema: 'public', name: 'guarded' }, what },
      { of: { schema: 'public', name: 'swallowed' }, what },
    ]);
    expect(rowsOf(population, 1, 'guarded').length).toBeGreaterThan(0);
  });

  test('rows that need each other before they are there are made, and hold in the end', async ({ db }) => {
    const population = await filled(
      db,
      `${tenants}
       CREATE TABLE teams (id int PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, lead int NOT NULL);
       CREATE TABLE people (id int PRIMARY KEY, team int NOT NULL REFERENCES teams, tenant_id uuid NOT NULL REFERENCES tenants);
       ALTER TABLE teams ADD FOREIGN KEY (lead) REFERENCES people DEFERRABLE INITIALLY DEFERRED;
       CREATE TABLE one (id int PRIMARY KEY, tenant_id uuid NOT NULL, other int NOT NULL);
       CREATE TABLE other (id int PRIMARY KEY, tenant_id uuid NOT NULL, one int NOT NULL REFERENCES one);
       ALTER TABLE one ADD FOREIGN KEY (other) REFERENCES other`,
    );
    expect(population.empty).toEqual([]);
    expect(new Set(population.notes.map(({ what }) => what))).toEqual(
      new Set(['made before the rows it refers to, which refer to it, with triggers off']),
    );
    await expectClosed(db, population);
    await expectTrue(db, population);
  });

  test('rows that triggers write are found, and whose they are', async ({ db }) => {
    const population = await filled(
      db,
      `${tenants} CREATE TABLE docs (id serial PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, body text);
       CREATE TABLE log (at timestamptz DEFAULT now(), who text NOT NULL DEFAULT current_user, line jsonb);
       CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (line) VALUES (to_jsonb(new)); RETURN NULL; END$$;
       CREATE TRIGGER log AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION log()`,
    );
    for (const { number } of population.worlds) expect(rowsOf(population, number, 'log')).toHaveLength(2);
  });
});

test('materialised views hold every world’s rows, whatever row security lets their owner see', async ({
  db,
}) => {
  const owner = db.role('owner');
  await db.query(`CREATE ROLE ${owner}`);
  await filled(
    db,
    `GRANT ALL ON SCHEMA public TO ${owner}; SET ROLE ${owner};
     CREATE TABLE docs (tenant_id uuid NOT NULL, n int); ALTER TABLE docs ENABLE ROW LEVEL SECURITY; ALTER TABLE docs FORCE ROW LEVEL SECURITY;
     CREATE MATERIALIZED VIEW sums AS SELECT tenant_id, count(*) FROM docs GROUP BY 1; CREATE MATERIALIZED VIEW sums_of_sums AS SELECT count(*) AS n FROM sums; RESET ROLE`,
  );
  const [row] = await db.query(
    `SELECT (SELECT count(*)::int FROM sums) AS sums, (SELECT n::int FROM sums_of_sums) AS n, (SELECT matviewowner FROM pg_matviews WHERE matviewname = 'sums') AS owner`,
  );
  expect(row).toEqual({ sums: 2, n: 2, owner });
  await db.query(`DROP OWNED BY ${owner}`);
});

test('rows are made in a copy, and none in its target', async ({ db }) => {
  await db.query(
    `DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE docs (tenant_id uuid NOT NULL, n int)`,
  );
  const found = await withCopy({ url: db.url, scratchUrl: db.url, now }, async (copy) =>
    populate(copy, { boundaries: [boundary('app.t', [['docs', 'tenant_id']])], worlds: 2, seed: 1 }),
  );
  expect(rowsOf(found, 1, 'docs')).toHaveLength(2);
  expect(await db.query('SELECT FROM docs')).toEqual([]);
});
