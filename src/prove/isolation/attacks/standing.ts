// Attacks by what a role is: members of other roles, owners, rights that the next partition is born with, sequences.
import { label } from '../../../define/model.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { script } from '../attacker.ts';
import { valueSql } from '../inspector.ts';
import type { Target } from '../objects.ts';
import {
  attempt,
  ownerColumns,
  readable,
  seenThrough,
  settingsOf,
  stateOf,
  type Crew,
  type Stage,
} from '../stage.ts';

/** How the database itself is called in the matrix. */
export const DATABASE = 'the database';

/** Becomes whatever a role may become and looks again; makes a partition as its owner and looks into it. */
export async function attackStanding(stage: Stage): Promise<void> {
  for (const crew of stage.crews) {
    stage.checkpoint();
    await becomeOthers(stage, crew);
    await prepareAsOthers(stage, crew);
    await takeAuthorization(stage, crew);
    await readSequences(stage, crew);
  }
  for (const target of stage.targets.filter((one) => one.kind === 'p' && !one.partition)) {
    for (const crew of stage.crews) await newPartition(stage, { crew, target });
  }
  await readLargeObjects(stage);
}

const REACHABLE_SQL = (mode: 'SET' | 'MEMBER'): string => `
  SELECT r.rolname::pg_catalog.text AS name, pg_catalog.pg_has_role($1::pg_catalog.name, r.oid, '${mode}') AS may,
    r.rolbypassrls AS bypasses
  FROM pg_catalog.pg_roles r
  WHERE r.rolname <> $1 AND (r.rolname NOT LIKE 'pg\\_%' OR r.rolname IN ('pg_read_all_data', 'pg_write_all_data'))
    AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1)
    AND (pg_catalog.pg_has_role($1::pg_catalog.name, r.oid, '${mode}')
         OR pg_catalog.pg_has_role($1::pg_catalog.name, r.oid, 'MEMBER WITH ADMIN OPTION')) ORDER BY r.rolname`;

async function becomeOthers(stage: Stage, crew: Crew): Promise<void> {
  const reachable = await reachableBy(stage, crew.role);
  for (const role of reachable) {
    const { name, may } = role;
    stage.board.say({
      subject: `role ${crew.role}`,
      severity: 'info',
      what: `it may ${may ? '' : 'give itself and then '}SET ROLE to ${name}; what ${name} may was tried as well.`,
      fix: `Keep the membership only where the application needs it: REVOKE ${name} FROM ${crew.role}.`,
    });
    await become(stage, crew, role);
  }
  if (reachable.length === 0) stage.board.tried(DATABASE, 'SET ROLE');
}

async function reachableBy(stage: Stage, role: string): Promise<readonly Reachable[]> {
  const mode = stage.copy.versionNumber >= 160_000 ? 'SET' : 'MEMBER';
  return stage.copy.query<Reachable>(REACHABLE_SQL(mode), [role]);
}

interface Reachable {
  readonly name: string;
  readonly may: boolean;
  readonly bypasses: boolean;
}

async function become(stage: Stage, crew: Crew, { name, may, bypasses }: Reachable): Promise<void> {
  const [viewer] = stage.viewers;
  if (viewer === undefined) return;
  // Who may grant a role gives it to itself first; the grant is rolled back with the rest.
  const give = may ? [] : [`GRANT ${ident(name)} TO ${ident(crew.role)} WITH SET TRUE`];
  const told = may && bypasses && isGateway(stage, crew);
  for (const target of stage.targets) {
    for (const settings of [settingsOf(stage, viewer), {}]) {
      const nobody = Object.keys(settings).length === 0;
      await attempt(stage, {
        object: label(target),
        attack: 'SET ROLE',
        crew,
        state: `${nobody ? 'no setting' : stateOf(viewer)}, as ${name}`,
        settings,
        statements: [...give, `SET LOCAL ROLE ${ident(name)}`, `SELECT * FROM ${qualified(target)}`],
        judge: (seen) => {
          const found = seenThrough(stage, target, { seen, viewer: nobody ? undefined : viewer });
          if (found !== undefined && told) stage.board.tell(label(target), 'SET ROLE');
          return told ? undefined : found;
        },
        fresh: nobody,
      });
    }
  }
  if (told)
    stage.board.say({
      subject: `role ${crew.role}`,
      severity: 'warning',
      what: `it becomes the role each request asks for, and one of these is ${name}, to which no policy applies: what decides between them stands outside the database.`,
      fix: `Guard the key that signs the tokens as you guard the data; or let what needs ${name} log in by itself, and REVOKE ${name} FROM ${crew.role}.`,
    });
}

/**
 * A login that holds nothing of owners' by itself and only becomes others, as PostgREST's authenticator does. Whoever sends
 * SQL of their own as it chooses the role as freely as the setting.
 */
function isGateway(stage: Stage, crew: Crew): boolean {
  return (
    stage.crews.some((one) => one.through === crew.role) &&
    stage.targets.every(
      (target) =>
        crew.rightless.has(label(target)) || stage.witness.others(target.root, undefined).length === 0,
    )
  );
}

/** Whatever the session becomes besides, as a gateway's does from one request to the next, and has plans of. */
async function prepareAsOthers(stage: Stage, crew: Crew): Promise<void> {
  const reachable = await reachableBy(stage, crew.through ?? crew.role);
  for (const { name } of reachable.filter((role) => role.may && role.name !== crew.role)) {
    for (const target of stage.targets) await preparedAs(stage, { crew, target, name });
  }
}

/** A plan that was made as another role must not be the one that runs after the session is itself again. */
async function preparedAs(
  stage: Stage,
  { crew, target, name }: { crew: Crew; target: Target; name: string },
): Promise<void> {
  const [viewer] = stage.viewers;
  if (viewer === undefined) return;
  await attempt(stage, {
    object: label(target),
    attack: 'prepared',
    crew,
    state: `${stateOf(viewer)}, prepared as ${name}`,
    settings: settingsOf(stage, viewer),
    statements: [
      'DEALLOCATE ALL',
      `SET LOCAL ROLE ${ident(name)}`,
      `PREPARE again AS SELECT ${readable(crew, target)} FROM ${qualified(target)}`,
      'EXECUTE again',
      `SET LOCAL ROLE ${ident(crew.role)}`,
      'EXECUTE again',
      'DEALLOCATE again',
    ],
    judge: (seen) =>
      seenThrough(stage, target, { seen: { ...seen, results: seen.results.slice(-2) }, viewer }),
  });
}

/** Only a session that a superuser opened may become somebody else. */
async function takeAuthorization(stage: Stage, crew: Crew): Promise<void> {
  const owners = [...new Set(stage.targets.map((target) => target.owner))].filter(
    (name) => name !== crew.role,
  );
  if (!stage.copy.real) return;
  for (const owner of owners) {
    await attempt(stage, {
      object: DATABASE,
      attack: 'session authorization',
      crew,
      state: 'no setting',
      settings: {},
      statements: [`SET LOCAL SESSION AUTHORIZATION ${ident(owner)}`],
      judge: ({ error }) => (error === undefined ? `the session works as ${owner}` : undefined),
    });
  }
}

const SEQUENCES_SQL = `
  SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'holdfast', 'cron')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND x.objid = c.oid AND x.deptype = 'e')
  ORDER BY n.nspname, c.relname`;

/** The sequences of the copy, as they are called in the matrix. */
export async function sequencesOf(
  stage: Pick<Stage, 'copy'>,
): Promise<readonly { schema: string; name: string }[]> {
  return stage.copy.query(SEQUENCES_SQL);
}

/** A counter that all owners share tells how many rows others make. */
async function readSequences(stage: Stage, crew: Crew): Promise<void> {
  const [viewer] = stage.viewers;
  if (viewer === undefined) return;
  for (const sequence of await sequencesOf(stage)) {
    const object = `sequence ${label(sequence)}`;
    for (const statement of [
      `SELECT last_value FROM ${qualified(sequence)}`,
      `SELECT pg_catalog.nextval(${literal(qualified(sequence))}::pg_catalog.regclass)`,
    ]) {
      const seen = await attempt(stage, {
        object,
        attack: 'sequence',
        crew,
        state: stateOf(viewer),
        settings: settingsOf(stage, viewer),
        statements: [statement],
        judge: () => undefined,
      });
      if (seen.error === undefined) stage.board.tell(object, 'sequence');
    }
  }
  if (!stage.board.cells().some((cell) => cell.attack === 'sequence' && cell.outcome === 'told')) return;
  stage.board.say({
    subject: 'sequences',
    severity: 'info',
    what: 'one counter serves all owners: its values tell an owner how many rows the others make.',
    fix: 'Where that is a secret, use uuid keys or a counter for each owner.',
  });
}

/** Whether the role may read what its owner makes next: default privileges, and no row security on a new table. */
async function newPartition(stage: Stage, { crew, target }: { crew: Crew; target: Target }): Promise<void> {
  const object = label(target);
  const [viewer] = stage.viewers;
  const row = viewer === undefined ? undefined : stage.witness.others(target, viewer)[0];
  if (viewer === undefined || row === undefined) return;
  stage.board.tried(object, 'new partition');
  const probe = { schema: target.schema, name: 'next_partition' };
  const values = target.columns.filter((column) => !column.generated && column.name in row.values);
  const owners = ownerColumns(stage, target);
  const make = [
    `SET LOCAL ROLE ${ident(target.owner)}`,
    `CREATE TABLE ${qualified(probe)} (LIKE ${qualified(target)} INCLUDING DEFAULTS)`,
    'RESET ROLE',
    `INSERT INTO ${qualified(probe)} (${values.map((one) => ident(one.name)).join(', ')}) VALUES (${values.map((one) => valueSql(row.values[one.name])).join(', ')})`,
  ];
  const select = `SELECT ${(owners.length > 0 ? owners : [values[0]?.name ?? '']).map(ident).join(', ')} FROM ${qualified(probe)}`;
  const settings = settingsOf(stage, viewer);
  const rows = await inMaking(stage, { make, role: crew.role, select });
  if (rows === undefined || rows === 0) return;
  stage.board.cross({
    object,
    attack: 'new partition',
    role: crew.role,
    state: stateOf(viewer),
    sql: `-- as a superuser, what ${target.owner} makes next\nBEGIN;\n${make.map((line) => `${line};`).join('\n')}\n${script({ role: crew.role }, settings, [select]).replace('BEGIN;', `SET LOCAL SESSION AUTHORIZATION ${ident(crew.role)};`)}`,
    said: `${rows} row of another owner: default privileges grant ${crew.role} what ${target.owner} makes in ${target.schema}, and a new table has no row security`,
  });
}

async function inMaking(
  stage: Stage,
  { make, role, select }: { make: readonly string[]; role: string; select: string },
): Promise<number | undefined> {
  const client = await stage.copy.pool.connect();
  try {
    await client.query(['BEGIN', ...make, `SET LOCAL SESSION AUTHORIZATION ${ident(role)}`].join('; '));
    return (await client.query(select)).rowCount ?? 0;
  } catch {
    return undefined;
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}

/** Large objects have an owner role and no row security: sessions of one role read each other's. */
async function readLargeObjects(stage: Stage): Promise<void> {
  const holding = stage.targets.filter(
    (target) =>
      ['r', 'p'].includes(target.kind) && target.columns.some(({ type }) => type === 'oid' || type === 'lo'),
  );
  const [first, last] = stage.viewers;
  if (holding.length === 0 || first === undefined || last === undefined) return;
  for (const crew of stage.crews) {
    stage.board.tried(DATABASE, 'large object');
    const made = await crew.session.run("SELECT pg_catalog.lo_from_bytea(0, 'of another')");
    const oid = made.results[0]?.rows[0]?.[0];
    if (oid == null) continue;
    const read = await crew.session.attempt(settingsOf(stage, last), [`SELECT pg_catalog.lo_get(${oid})`]);
    await crew.session.run(`SELECT pg_catalog.lo_unlink(${oid})`);
    if (read.error !== undefined) continue;
    stage.board.tell(DATABASE, 'large object');
    stage.board.say({
      subject: holding.map(label).join(', '),
      severity: 'warning',
      what: `a column holds numbers of large objects; every session of ${crew.role} reads every large object that the role made, whoever it works for.`,
      fix: 'Keep the bytes in a bytea column of the owner’s row, where row security filters them.',
    });
  }
}
