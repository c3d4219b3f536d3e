// Random databases of a few objects of every kind that has rights: made by several roles, under default privileges that
// come and go, granted by hand, given to other owners.
import { randomly } from '../../prove/filling/random-schema.ts';

/** Roles of a world, by what they do there. */
export interface Cast {
  /** The session's own. */
  readonly user: string;
  readonly owners: readonly [string, string];
  readonly grantees: readonly [string, string];
}

interface Kind {
  readonly word: string;
  /** As ALTER DEFAULT PRIVILEGES names it. */
  readonly all: string;
  readonly privileges: readonly string[];
  readonly alter: string;
}

const KINDS = {
  table: {
    word: 'TABLE',
    all: 'TABLES',
    alter: 'TABLE',
    privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
  },
  sequence: {
    word: 'SEQUENCE',
    all: 'SEQUENCES',
    alter: 'SEQUENCE',
    privileges: ['USAGE', 'SELECT', 'UPDATE'],
  },
  function: { word: 'FUNCTION', all: 'FUNCTIONS', alter: 'FUNCTION', privileges: ['EXECUTE'] },
  procedure: { word: 'PROCEDURE', all: 'ROUTINES', alter: 'PROCEDURE', privileges: ['EXECUTE'] },
  type: { word: 'TYPE', all: 'TYPES', alter: 'TYPE', privileges: ['USAGE'] },
  schema: { word: 'SCHEMA', all: 'SCHEMAS', alter: 'SCHEMA', privileges: ['USAGE', 'CREATE'] },
} satisfies Record<string, Kind>;

interface Thing {
  readonly name: string;
  readonly kind: keyof typeof KINDS;
  readonly make?: string;
  readonly alter?: string;
  /** Its owner is that of the table it belongs to. */
  readonly follows?: true;
  readonly columns?: readonly string[];
}

const THINGS: readonly Thing[] = [
  { name: 'rw', kind: 'schema', make: 'CREATE SCHEMA rw' },
  { name: 'rx', kind: 'schema', make: 'CREATE SCHEMA rx' },
  {
    name: 'rw.t',
    kind: 'table',
    columns: ['id', 'a', 'b'],
    make: 'CREATE TABLE rw.t (id int GENERATED ALWAYS AS IDENTITY, a int, b text)',
  },
  { name: 'rw.t_id_seq', kind: 'sequence', follows: true },
  { name: 'rx.t', kind: 'table', columns: ['a'], make: 'CREATE TABLE rx.t (id serial, a int)' },
  { name: 'rx.t_id_seq', kind: 'sequence', follows: true },
  {
    name: 'rw.p',
    kind: 'table',
    columns: ['at'],
    make: 'CREATE TABLE rw.p (at int) PARTITION BY RANGE (at)',
  },
  {
    name: 'rw.v',
    kind: 'table',
    alter: 'VIEW',
    columns: ['x', 'y'],
    make: 'CREATE VIEW rw.v AS SELECT 1 AS x, 2 AS y',
  },
  {
    name: 'rx.m',
    kind: 'table',
    alter: 'MATERIALIZED VIEW',
    make: 'CREATE MATERIALIZED VIEW rx.m AS SELECT 1 AS x',
  },
  { name: 'rw.q', kind: 'sequence', make: 'CREATE SEQUENCE rw.q' },
  {
    name: 'rw.f(integer)',
    kind: 'function',
    make: 'CREATE FUNCTION rw.f(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$',
  },
  { name: 'rx.d()', kind: 'procedure', make: 'CREATE PROCEDURE rx.d() LANGUAGE sql AS $$SELECT 1$$' },
  { name: 'rw.e', kind: 'type', make: `CREATE TYPE rw.e AS ENUM ('a')` },
  { name: 'rx.o', kind: 'type', alter: 'DOMAIN', make: 'CREATE DOMAIN rx.o AS int' },
];

/** Statements of a random world; one that the database refuses says nothing. */
export function randomRights(seed: number, cast: Cast): readonly string[] {
  const below = randomly(seed);
  const one = <Item>(of: readonly Item[]): Item => of[below(of.length)] as Item;
  const some = <Item>(of: readonly Item[]): Item[] => {
    const chosen = of.filter(() => below(2) === 0);
    return chosen.length === 0 ? [one(of)] : chosen;
  };
  const makers = [cast.user, ...cast.owners];
  const grantees = ['PUBLIC', ...cast.grantees, ...cast.grantees, ...makers];
  const change = (rest: string, list: string): string => {
    const to = one(grantees);
    const option = to !== 'PUBLIC' && below(4) === 0;
    if (below(3) === 0)
      return `REVOKE ${option ? 'GRANT OPTION FOR ' : ''}${below(3) === 0 ? 'ALL' : list} ON ${rest} FROM ${quoted(to)}`;
    return `GRANT ${list} ON ${rest} TO ${quoted(to)}${option ? ' WITH GRANT OPTION' : ''}`;
  };
  const defaults = (): string => {
    const kind = KINDS[one(Object.keys(KINDS) as (keyof typeof KINDS)[])];
    const within = kind.all === 'SCHEMAS' || below(2) === 0 ? '' : ` IN SCHEMA ${one(['rw', 'rx'])}`;
    const what = change(kind.all, some(kind.privileges).join(', '));
    return `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoted(one(makers))}${within} ${what}`;
  };
  const grant = (): string => {
    const { kind, name, columns } = one(THINGS);
    const { word, privileges } = KINDS[kind];
    if (columns === undefined || below(3) > 0) return change(`${word} ${name}`, some(privileges).join(', '));
    const list = some(['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']);
    return change(`TABLE ${name}`, list.map((privilege) => `${privilege} (${one(columns)})`).join(', '));
  };
  // Who may give a right on gives it on: it is then nobody's but theirs to take back.
  const givenOn = (): string =>
    `SET ROLE ${quoted(one(cast.grantees))}; GRANT SELECT ON ${one(['rw.t', 'rx.t'])} TO ${quoted(one(grantees))}; RESET ROLE`;
  const owner = (): string => {
    const { kind, name, alter } = one(THINGS.filter(({ follows }) => follows === undefined));
    return `ALTER ${alter ?? KINDS[kind].alter} ${name} OWNER TO ${quoted(one(makers))}`;
  };
  const statements: string[] = [];
  for (const { make } of THINGS) {
    for (let turn = below(3); turn > 0; turn -= 1) statements.push(one([defaults, defaults, grant])());
    if (make === undefined || below(8) === 0) continue;
    const as = one(makers);
    statements.push(`SET ROLE ${quoted(as)}`, make, 'RESET ROLE');
    if (make.startsWith('CREATE SCHEMA'))
      statements.push(
        `GRANT CREATE, USAGE ON SCHEMA ${make.slice(-2)} TO ${cast.owners.map(quoted).join(', ')}`,
      );
  }
  for (let turn = below(40); turn > 0; turn -= 1)
    statements.push(one([grant, grant, grant, grant, defaults, owner, givenOn])());
  return statements;
}

function quoted(role: string): string {
  return role === 'PUBLIC' ? role : `"${role}"`;
}
