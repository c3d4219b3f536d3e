// What all checks read once, on a real server.
import { expect } from 'vitest';
import type { Fact, TrapCheck } from '../../../src/prove/traps/index.ts';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { constraints } from '../../../src/prove/traps/facts/constraints.ts';
import { routines, routineSubject } from '../../../src/prove/traps/facts/functions.ts';
import { indexes } from '../../../src/prove/traps/facts/indexes.ts';
import { policies } from '../../../src/prove/traps/facts/policies.ts';
import { relations } from '../../../src/prove/traps/facts/relations.ts';
import { roles } from '../../../src/prove/traps/facts/rights.ts';
import { triggers } from '../../../src/prove/traps/facts/triggers.ts';
import { views } from '../../../src/prove/traps/facts/views.ts';
import { ident } from '../../../src/sql.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';

const SCHEMA = `
  CREATE SCHEMA s; CREATE SCHEMA holdfast; CREATE TABLE holdfast.hidden (n int); CREATE EXTENSION pgcrypto;
  CREATE TABLE s.orders (id int, tenant_id text NOT NULL DEFAULT '', at timestamptz, double int GENERATED ALWAYS AS (id * 2) STORED,
    CHECK (id > 0), PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at);
  CREATE TABLE s.orders_1 PARTITION OF s.orders DEFAULT;
  CREATE TABLE s.lines (tenant_id text, id int, at timestamptz, FOREIGN KEY (tenant_id, id, at) REFERENCES s.orders ON DELETE CASCADE);
  CREATE INDEX lines_part ON s.lines (id, lower(tenant_id)) INCLUDE (at) WHERE id > 1;
  CREATE FUNCTION s.keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$BEGIN RAISE 'kept'; END$$;
  CREATE TRIGGER keep BEFORE UPDATE OF id OR DELETE ON s.orders FOR EACH ROW EXECUTE FUNCTION s.keep();
  CREATE VIEW s.seen WITH (security_invoker) AS SELECT id FROM s.orders;
  ALTER TABLE s.lines ENABLE ROW LEVEL SECURITY;
  CREATE POLICY mine ON s.lines USING (id IN (SELECT o.id FROM s.orders o));
  CREATE POLICY self ON s.lines FOR UPDATE USING (id = 1) WITH CHECK (id IN (SELECT l.id FROM s.lines l))`;

async function read<T>(db: TestDatabase, fact: Fact<T>): Promise<T> {
  let result: T | undefined;
  const check: TrapCheck = {
    code: 'HT1',
    name: 'reads',
    title: 'reads',
    severity: 'info',
    traps: [],
    find: async ({ facts }) => {
      result = await facts(fact);
      return [];
    },
    page: { what: '', effect: '', mend: '' },
  };
  const { unseen } = await findTraps({ url: db.url, boundaries: [], now: new Date(0), checks: [check] });
  expect(unseen).toEqual([]);
  return result as T;
}

test('facts are read', async ({ db }) => {
  await db.query(SCHEMA);
  const found = await read(db, relations);
  expect(found.all.map(({ name }) => name)).toEqual(['lines', 'orders', 'orders_1', 'seen']);
  const [lines, orders, part, seen] = found.all;
  if (!lines || !orders || !part || !seen) throw new Error('not there');
  expect(part.parent).toBe(orders.oid);
  expect(found.root(part)).toBe(orders);
  expect(found.partitions(orders)).toEqual([part]);
  expect(orders.columns[1]).toEqual({
    name: 'tenant_id',
    number: 2,
    type: 'text',
    notNull: true,
    default: "''::text",
    generated: false,
    identity: false,
  });
  expect(orders.columns[3]).toMatchObject({ generated: true });
  expect(seen).toMatchObject({ kind: 'v', options: ['security_invoker=true'] });

  const keys = await read(db, constraints);
  expect(keys.of(lines.oid).filter(({ inherited }) => !inherited)).toMatchObject([
    {
      kind: 'f',
      columns: ['tenant_id', 'id', 'at'],
      references: orders.oid,
      onDelete: 'c',
      inherited: false,
    },
  ]);
  expect(keys.of(orders.oid).map(({ kind }) => kind)).toEqual(['c', 'p']);
  expect(keys.of(part.oid).map(({ inherited }) => inherited)).toEqual([true, true]);

  const [index] = (await read(db, indexes)).of(lines.oid);
  expect(index).toMatchObject({
    name: 'lines_part',
    columns: ['id', null],
    included: ['at'],
    expressions: 'lower(tenant_id)',
    predicate: '(id > 1)',
    method: 'btree',
  });

  const kept = await read(db, triggers);
  expect(kept.of(orders.oid)).toMatchObject([
    {
      name: 'keep',
      forEach: 'row',
      when: 'before',
      events: ['update', 'delete'],
      columns: ['id'],
      inherited: false,
    },
  ]);
  expect(kept.of(part.oid)).toMatchObject([{ name: 'keep', inherited: true }]);

  const functions = await read(db, routines);
  expect(functions.all.map(routineSubject)).toEqual(['function s.keep()']);
  expect(functions.all[0]).toMatchObject({
    code: `BEGIN RAISE ''; END`,
    settings: ['search_path=pg_catalog'],
    forPublic: true,
    isTrigger: true,
  });

  expect((await read(db, views)).get(seen.oid)).toMatchObject({ reads: [orders.oid] });
  expect((await read(db, policies)).of(lines.oid)).toMatchObject([
    { name: 'mine', command: '*', roles: ['public'], reads: [orders.oid] },
    { name: 'self', command: 'w', reads: [lines.oid], check: '(id IN ( SELECT l.id\n   FROM s.lines l))' },
  ]);
});

test('a role reaches what it is a member of, however far', async ({ db }) => {
  const [low, mid, top] = [db.role('low'), db.role('mid'), db.role('top')];
  await db.query(`CREATE ROLE ${ident(top)} BYPASSRLS; CREATE ROLE ${ident(mid)}; CREATE ROLE ${ident(low)} LOGIN;
    GRANT ${ident(top)} TO ${ident(mid)}; GRANT ${ident(mid)} TO ${ident(low)}`);
  const known = await read(db, roles);
  expect(known.get(low)).toMatchObject({ login: true, bypass: false });
  expect(known.get(low)?.reaches.toSorted()).toEqual([low, mid, top].toSorted());
});
