// Rows in small schemas, one for each kind of thing that a table may ask of its rows.
import { describe, expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { expectClosed, expectTrue, filled, rowsOf } from './filling/in-place.ts';

const TENANTS = 'CREATE TABLE tenants (id uuid PRIMARY KEY, name text NOT NULL UNIQUE);';
const OWNED = 'tenant_id uuid NOT NULL REFERENCES tenants';

/** Schemas every table of which must get a row in each world, with triggers on. */
const SCHEMAS: Readonly<Record<string, string>> = {
  'lists, comparisons, lengths and beginnings': `CREATE TABLE t (${OWNED},
    a text NOT NULL CHECK (a IN ('x', 'y')), b varchar(5) NOT NULL CHECK (b = ANY (ARRAY['p', 'q'])), c int NOT NULL CHECK (c > 7),
    d int NOT NULL CHECK (d BETWEEN 100 AND 102), e numeric(4,2) NOT NULL CHECK (e > 10 AND e < 10.5), f text NOT NULL CHECK (length(f) = 11),
    g text NOT NULL CHECK (char_length(g) <= 3), h text NOT NULL CHECK (h LIKE 'sku-%'), i text NOT NULL CHECK (starts_with(i, 'urn:')),
    j text NOT NULL CHECK (j <> '' AND j = lower(j)), k text NOT NULL CHECK (btrim(k) = k AND position(' ' in k) = 0), l int NOT NULL CHECK (l % 5 = 0))`,
  'regular expressions': `CREATE TABLE t (${OWNED},
    a text NOT NULL CHECK (a ~ '^[A-Z]{3}-[0-9]{4}$'), b text NOT NULL CHECK (b ~* '^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$'),
    c text NOT NULL UNIQUE CHECK (c ~ '^[a-z0-9]+(-[a-z0-9]+)*$'), d text NOT NULL CHECK (d ~ '^\\+?[1-9]\\d{1,14}$'),
    e text NOT NULL CHECK (e ~ '^#[0-9a-fA-F]{6}$'), f text NOT NULL CHECK (f ~ '^(red|green|blue)$'), g text NOT NULL CHECK (g ~ '^\\d+\\.\\d+\\.\\d+$'),
    h text NOT NULL CHECK (h !~ '\\s'), i char(2) NOT NULL CHECK (i ~ '^[[:upper:]]{2}$'), j text NOT NULL CHECK (j ~ '^https?://'))`,
  'columns that are compared with each other': `CREATE TABLE t (${OWNED},
    starts date NOT NULL, ends date NOT NULL, CHECK (ends > starts), low int NOT NULL, high int NOT NULL, CHECK (low < high AND high < low + 10),
    created timestamptz NOT NULL DEFAULT now(), expires timestamptz NOT NULL, CHECK (expires > created + interval '1 hour'),
    total numeric NOT NULL, net numeric NOT NULL, tax numeric NOT NULL, CHECK (total = net + tax))`,
  'columns that are given by others': `CREATE TABLE t (${OWNED}, major int NOT NULL CHECK (major >= 0), minor int NOT NULL CHECK (minor >= 0),
    version text NOT NULL, full_name text NOT NULL, CHECK (version = major::text || '.' || minor::text), CHECK (full_name = 'v' || version AND length(full_name) < 40),
    UNIQUE (tenant_id, version))`,
  'states that ask for other columns': `CREATE TABLE t (${OWNED}, status text NOT NULL CHECK (status IN ('open', 'done', 'failed')), done_at timestamptz, error text,
    CHECK ((status = 'done') = (done_at IS NOT NULL)), CHECK ((status = 'failed') = (error IS NOT NULL)),
    card text, iban text, CHECK (num_nonnulls(card, iban) = 1))`,
  'exclusive references': `CREATE TABLE a (id serial PRIMARY KEY, ${OWNED}); CREATE TABLE b (id serial PRIMARY KEY, ${OWNED});
    CREATE TABLE t (${OWNED}, a_id int REFERENCES a, b_id int REFERENCES b, CHECK ((a_id IS NULL) <> (b_id IS NULL)))`,
  'unique: plain, partial, of expressions, across, without nulls': `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${OWNED},
    mail text NOT NULL, code char(3) UNIQUE, kind text NOT NULL DEFAULT 'x' CHECK (kind IN ('x', 'y')), n int, UNIQUE (tenant_id, kind), UNIQUE NULLS NOT DISTINCT (n));
    CREATE UNIQUE INDEX ON t (lower(mail)); CREATE UNIQUE INDEX ON t (tenant_id) WHERE kind = 'y'`,
  'one row for each owner': `CREATE TABLE t (${OWNED} PRIMARY KEY, plan text NOT NULL)`,
  'one to one': `CREATE TABLE a (id serial PRIMARY KEY, ${OWNED}); CREATE TABLE t (a_id int PRIMARY KEY REFERENCES a ON DELETE CASCADE, note text)`,
  'many to many, of which none with itself': `CREATE TABLE a (id serial PRIMARY KEY, ${OWNED});
    CREATE TABLE t (one int NOT NULL REFERENCES a, other int NOT NULL REFERENCES a, PRIMARY KEY (one, other), CHECK (one < other))`,
  'composite keys that share the owner': `CREATE TABLE a (${OWNED}, id bigserial, PRIMARY KEY (tenant_id, id));
    CREATE TABLE b (tenant_id uuid NOT NULL, id bigserial, a_id bigint NOT NULL, parent bigint, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, a_id) REFERENCES a, FOREIGN KEY (tenant_id, parent) REFERENCES b);
    CREATE TABLE t (tenant_id uuid NOT NULL, a_id bigint NOT NULL, b_id bigint NOT NULL, UNIQUE (tenant_id, a_id, b_id), FOREIGN KEY (tenant_id, a_id) REFERENCES a, FOREIGN KEY (tenant_id, b_id) REFERENCES b)`,
  'a tree, and one whose root is its own parent': `CREATE TABLE t (id serial PRIMARY KEY, ${OWNED}, parent int REFERENCES t);
    CREATE TABLE u (id uuid PRIMARY KEY, ${OWNED}, parent uuid NOT NULL REFERENCES u)`,
  'rings that can be closed later': `CREATE TABLE a (id serial PRIMARY KEY, ${OWNED}); CREATE TABLE b (id serial PRIMARY KEY, a_id int NOT NULL REFERENCES a);
    ALTER TABLE a ADD newest int REFERENCES b`,
  domains: `CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN even AS positive CHECK (VALUE % 2 = 0);
    CREATE DOMAIN mail AS text NOT NULL CHECK (VALUE ~ '^[^@]+@[^@]+$'); CREATE DOMAIN short AS varchar(4);
    CREATE TABLE t (${OWNED}, a positive NOT NULL, b even NOT NULL, c mail, d short NOT NULL, e positive[] NOT NULL)`,
  'types of every kind': `CREATE TYPE mood AS ENUM ('glad', 'it''s "ok"'); CREATE TYPE pair AS (a int, b text); CREATE TYPE span AS RANGE (subtype = float8);
    CREATE TABLE t (${OWNED}, a mood NOT NULL, b pair NOT NULL, c span NOT NULL, d mood[] NOT NULL, e pair[] NOT NULL, f int4range NOT NULL, g tstzrange NOT NULL, h daterange NOT NULL,
      i int4multirange NOT NULL, j jsonb NOT NULL, k json NOT NULL, l bytea NOT NULL, m inet NOT NULL, n cidr NOT NULL, o macaddr NOT NULL, p bit(5) NOT NULL, q varbit(9) NOT NULL,
      r interval NOT NULL, s time NOT NULL, u timetz NOT NULL, v money NOT NULL, w "char" NOT NULL, x name NOT NULL, y tsvector NOT NULL, z point NOT NULL, aa polygon NOT NULL,
      bb xml NOT NULL, cc real NOT NULL, dd smallint NOT NULL, ee numeric(3,3) NOT NULL, ff text[][] NOT NULL, gg regclass NOT NULL, hh pg_lsn NOT NULL, ii char NOT NULL, jj bool NOT NULL, kk numrange NOT NULL)`,
  'generated and identity columns in rules': `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id > 0), ${OWNED}, name text NOT NULL,
    slug text GENERATED ALWAYS AS (lower(replace(name, ' ', '-'))) STORED CHECK (slug ~ '^[a-z0-9-]{3,}$'), qty int NOT NULL, price int NOT NULL,
    sum int GENERATED ALWAYS AS (qty * price) STORED CHECK (sum BETWEEN 10 AND 1000))`,
  'exclusion of what overlaps': `CREATE TABLE t (${OWNED}, during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&));
    CREATE TABLE u (${OWNED}, n int4range NOT NULL CHECK (NOT isempty(n)), EXCLUDE USING gist (n WITH &&) WHERE (lower(n) > 0))`,
  'JSON with the keys that are asked for': `CREATE TABLE t (${OWNED}, a jsonb NOT NULL CHECK (jsonb_typeof(a) = 'object' AND a ? 'v'),
    b jsonb NOT NULL CHECK (b ?& ARRAY['x', 'y'] AND jsonb_typeof(b -> 'y') = 'number'), c jsonb NOT NULL CHECK (c ->> 'kind' IN ('note', 'mail') AND c ? 'to'),
    d json NOT NULL CHECK (d ->> 'it''s' <> ''))`,
  'JSON of a certain form': `CREATE TABLE t (${OWNED}, a jsonb NOT NULL CHECK (jsonb_typeof(a) = 'array'), b jsonb NOT NULL CHECK (jsonb_typeof(b) = 'object'),
    c jsonb NOT NULL DEFAULT '{"v": 1}' CHECK ((c ->> 'v')::int = 1), d text[] NOT NULL CHECK (cardinality(d) > 0), e text[] NOT NULL CHECK (e <@ ARRAY['x', 'y']))`,
  'triggers that fill in, and that refuse all but one state': `CREATE TABLE t (id serial PRIMARY KEY, ${OWNED}, state text NOT NULL CHECK (state IN ('running', 'new', 'gone')), stamped text NOT NULL);
    CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
      IF new.state <> 'new' THEN RAISE EXCEPTION 'a row begins as new'; END IF;
      new.stamped := current_setting('app.tenant_id'); RETURN new; END$$;
    CREATE TRIGGER fill BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fill()`,
  'triggers that look for rows of the setting': `CREATE TABLE t (id serial PRIMARY KEY, ${OWNED}, note text);
    CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.tenant_id := current_setting('app.tenant_id')::uuid; RETURN new; END$$;
    CREATE TRIGGER own BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION own()`,
  'triggers that ask who acts': `CREATE TABLE users (id uuid PRIMARY KEY, ${OWNED}); CREATE TABLE t (id serial PRIMARY KEY, ${OWNED}, note text);
    CREATE TABLE log (id serial PRIMARY KEY, ${OWNED}, by_user uuid NOT NULL REFERENCES users, request bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
      INSERT INTO log (tenant_id, by_user, request) VALUES (new.tenant_id, current_setting('app.user_id')::uuid, NULLIF(current_setting('app.request', true), '')::bigint); RETURN new; END$$;
    CREATE TRIGGER log AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log()`,
  'references that are whole or nothing': `CREATE TABLE a (x int, y int, ${OWNED}, PRIMARY KEY (x, y)); CREATE TABLE b (code text UNIQUE, ${OWNED});
    CREATE TABLE t (${OWNED}, x int, y int, code text REFERENCES b (code), FOREIGN KEY (x, y) REFERENCES a MATCH FULL)`,
  'collations of their own': `CREATE COLLATION plain (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE t (${OWNED}, a text COLLATE plain NOT NULL CHECK (a = 'ABC' OR a > 'x'), b text COLLATE "C" NOT NULL CHECK (b < 'Z'))`,
  'tables that only grow': `CREATE TABLE t (id serial PRIMARY KEY, ${OWNED}, note text);
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'append only'; END$$;
    CREATE TRIGGER never BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION never()`,
  'names that must be quoted': `CREATE TABLE "Mixed Case" ("Id" serial PRIMARY KEY, ${OWNED}, "select" text NOT NULL CHECK ("select" IN ('a''b', 'c')), "a""b" int NOT NULL CHECK ("a""b" > 3), "A" int NOT NULL, "a" int NOT NULL, CHECK ("A" > "a"))`,
  'rules that fail on what they were not made for': `CREATE TABLE t (${OWNED}, n text NOT NULL CHECK (n::int > 5), at text NOT NULL CHECK (at::date > '2020-01-01'))`,
};

describe('every table gets rows in each world, through', () => {
  for (const [name, sql] of Object.entries(SCHEMAS)) {
    test(name, async ({ db }) => {
      const population = await filled(db, `${TENANTS}${sql}`);
      expect([population.empty, population.notes]).toEqual([[], []]);
      for (const world of population.worlds) {
        const tables = await db.query<{ name: string }>(
          `SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`,
        );
        for (const table of tables)
          expect([table.name, rowsOf(population, world.number, table.name).length > 0]).toEqual([
            table.name,
            true,
          ]);
      }
      await expectClosed(db, population);
      await expectTrue(db, population);
    });
  }
});
