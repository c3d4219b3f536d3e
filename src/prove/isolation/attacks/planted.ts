// Attacks by objects planted where names are looked up: a table in pg_temp, a function or an operator in a schema that the
// role may make things in.
import { label } from '../../../define/model.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { calls } from '../../boundary/comparisons.ts';
import type { World } from '../../rows/index.ts';
import { script, type Seen } from '../attacker.ts';
import type { Routine, Target } from '../objects.ts';
import { readable, seenThrough, settingsOf, spokenBy, stateOf, type Crew, type Stage } from '../stage.ts';
import { argumentsFrom, callSql, reachingOut, routineLabel } from './functions.ts';

/** Plants tables and functions in the path and reads through every policy, view and function that may step on them. */
export async function attackByPlanting(stage: Stage): Promise<void> {
  for (const crew of stage.crews) {
    const schemas = await makeable(stage, crew.role);
    for (const viewer of stage.viewers) await plantTables({ stage, crew, viewer });
    const outside = reachingOut(stage.routines);
    for (const routine of stage.routines.filter((one) => one.definer && !one.trigger && !outside.has(one))) {
      stage.checkpoint();
      if (routine.executors.includes(crew.role)) await plantFor({ stage, crew, routine, schemas });
      else stage.board.tried(routineLabel(routine), 'planted object');
    }
  }
}

const MAKEABLE_SQL = `
  SELECT n.nspname::pg_catalog.text AS name FROM pg_catalog.pg_namespace n
  WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND pg_catalog.has_schema_privilege($1::pg_catalog.name, n.oid, 'CREATE') ORDER BY n.nspname`;

async function makeable(stage: Stage, role: string): Promise<readonly string[]> {
  return (await stage.copy.query<{ name: string }>(MAKEABLE_SQL, [role])).map((row) => row.name);
}

interface Planting {
  readonly stage: Stage;
  readonly crew: Crew;
  readonly viewer: World;
}

/** A temporary table named like one that a function's body names without schema, holding what lets the viewer in. */
async function plantTables({ stage, crew, viewer }: Planting): Promise<void> {
  const named = stage.targets.filter(
    (target) =>
      ['r', 'p'].includes(target.kind) &&
      !target.partition &&
      stage.routines.some((routine) => namesAlone(routine.body, target)),
  );
  if (named.length === 0) return;
  const plants = named.flatMap((target) => plantSql(stage, { target, viewer }));
  const statements = ['SET LOCAL search_path = pg_temp, public', ...plants];
  const settings = settingsOf(stage, viewer);
  for (const target of stage.targets) {
    const object = label(target);
    const select = `SELECT ${readable(crew, target)} FROM ${qualified(target)}`;
    stage.board.tried(object, 'planted object');
    const seen = await crew.session.attempt(settings, [...statements, select]);
    const last: Seen = { ...seen, results: seen.results.slice(-1) };
    const said = seen.error === undefined ? seenThrough(stage, target, { seen: last, viewer }) : undefined;
    const plain = said === undefined ? undefined : await crew.session.attempt(settings, [select]);
    const anyway = plain === undefined ? undefined : seenThrough(stage, target, { seen: plain, viewer });
    if (said === undefined || anyway !== undefined) continue;
    stage.board.cross({
      object,
      attack: 'planted object',
      role: crew.role,
      state: `${stateOf(viewer)}, with ${named.map((one) => `pg_temp.${one.name}`).join(', ')}`,
      sql: script(crew, settings, [...statements, select]),
      said,
    });
  }
}

/** Whether a body names the table without its schema. */
function namesAlone(body: string, target: Target): boolean {
  return new RegExp(
    String.raw`\b(FROM|JOIN|INTO|UPDATE)\s+"?${target.name.replaceAll('$', String.raw`\$`)}"?(?![\w.])`,
    'i',
  ).test(body);
}

/** The temporary table with every other owner's row, as it is and rewritten so that it is the viewer's. */
function plantSql(stage: Stage, { target, viewer }: { target: Target; viewer: World }): string[] {
  const own = spokenBy(stage, viewer);
  const others = stage.population.worlds.filter((world) => world !== viewer);
  const columns = target.columns.map((column) => `${ident(column.name)} ${column.type}`);
  const rows = others.flatMap((world) => {
    const theirs = spokenBy(stage, world);
    const changes = theirs.map((value, at) => [value ?? '', own[at] ?? value ?? ''] as const);
    // As it is, with one setting's value made the viewer's, with all.
    const swaps = [
      new Map<string, string>(),
      ...changes.map((change) => new Map([change])),
      new Map(changes),
    ];
    return stage.witness
      .rowsOf(target, world)
      .flatMap((row) =>
        swaps.map((swap) => target.columns.map(({ name }) => swapped(row.values[name], swap))),
      );
  });
  const table = `pg_temp.${ident(target.name)}`;
  const list = target.columns.map((column) => ident(column.name)).join(', ');
  return [
    `CREATE TEMPORARY TABLE ${ident(target.name)} (${columns.join(', ')})`,
    ...rows.map((row) => `INSERT INTO ${table} (${list}) VALUES (${row.join(', ')})`),
    `GRANT SELECT ON ${table} TO PUBLIC`,
  ];
}

function swapped(value: string | null | undefined, swap: ReadonlyMap<string, string>): string {
  return value == null ? 'NULL' : literal(swap.get(value) ?? value);
}

interface Hijack {
  readonly stage: Stage;
  readonly crew: Crew;
  readonly routine: Routine;
  /** Schemas the role may make things in. */
  readonly schemas: readonly string[];
}

const SIGN = 'planted code ran as ';

/** A function that runs as its owner must not find the caller's functions and operators. */
async function plantFor({ stage, crew, routine, schemas }: Hijack): Promise<void> {
  const viewer = stage.viewers[0];
  const object = routineLabel(routine);
  if (viewer === undefined) return;
  stage.board.tried(object, 'planted object');
  const path = routine.path ?? '';
  const places = schemas.filter(
    (schema) => routine.path === null || new RegExp(String.raw`(^|[ ,"])${schema}($|[ ,"])`).test(path),
  );
  for (const schema of places) {
    for (const given of argumentsFrom(stage, { routine, world: viewer }).slice(0, 1)) {
      const settings = settingsOf(stage, viewer);
      const statements = [
        ...plantedCode(stage, { routine, schema }),
        ...(routine.path === null
          ? [`SET LOCAL search_path = ${ident(schema)}, pg_catalog, public, pg_temp`]
          : []),
        callSql(routine, given),
      ];
      const seen = await crew.session.attempt(settings, statements);
      stage.board.tried(object, 'planted object');
      const ran = seen.notices.find((notice) => notice.startsWith(SIGN) && notice !== `${SIGN}${crew.role}`);
      if (ran === undefined) continue;
      stage.board.cross({
        object,
        attack: 'planted object',
        role: crew.role,
        state: stateOf(viewer),
        sql: script(crew, settings, statements),
        said: `${ran}: whatever ${routine.owner} may do, ${crew.role} may`,
      });
      return;
    }
  }
  if (routine.path === null && places.length === 0) {
    stage.board.tell(object, 'planted object');
    stage.board.say({
      subject: object,
      severity: 'warning',
      what: `it runs as ${routine.owner} without a fixed search_path; only that no application role may make anything in a schema keeps planted code out.`,
      fix: `ALTER FUNCTION ${routine.signature} SET search_path = pg_catalog, pg_temp, with the names in it qualified.`,
    });
  }
}

const OPERANDS = ['text', 'uuid', 'int4', 'int8', 'varchar'] as const;

/** Functions of the names that the body calls without schema, and operators, that tell who they run as. */
function plantedCode(stage: Stage, { routine, schema }: { routine: Routine; schema: string }): string[] {
  const say = `RAISE NOTICE '${SIGN}%', current_user`;
  const operators = OPERANDS.filter((type) => type !== 'varchar').flatMap((type) => [
    `CREATE FUNCTION ${ident(schema)}.planted(${type}, ${type}) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ${say}; RETURN true; END $$`,
    `CREATE OPERATOR ${ident(schema)}.= (LEFTARG = ${type}, RIGHTARG = ${type}, FUNCTION = ${ident(schema)}.planted)`,
  ]);
  const called = stage.routines.filter(
    (one) => one !== routine && one.kind === 'f' && one.schema !== schema && calls(routine.body, one.name),
  );
  const own = called.map((one) =>
    functionSql({ schema, name: one.name, types: one.arguments.map(({ type }) => type), say }),
  );
  const builtin = BUILTIN.filter(({ name }) => calls(routine.body, name)).map(({ name, types }) =>
    functionSql({ schema, name, types, say }),
  );
  return [...operators, ...new Set([...own, ...builtin])];
}

function functionSql(one: { schema: string; name: string; types: readonly string[]; say: string }): string {
  return `CREATE FUNCTION ${ident(one.schema)}.${ident(one.name)}(${one.types.join(', ')}) RETURNS text LANGUAGE plpgsql AS $$ BEGIN ${one.say}; RETURN NULL; END $$`;
}

const BUILTIN = [
  { name: 'now', types: [] },
  { name: 'lower', types: ['text'] },
  { name: 'upper', types: ['text'] },
  { name: 'length', types: ['text'] },
  { name: 'current_setting', types: ['text'] },
  { name: 'current_setting', types: ['text', 'boolean'] },
  { name: 'gen_random_uuid', types: [] },
  { name: 'md5', types: ['text'] },
  { name: 'pgp_sym_encrypt', types: ['text', 'text'] },
  { name: 'pgp_sym_decrypt', types: ['bytea', 'text'] },
  { name: 'crypt', types: ['text', 'text'] },
  { name: 'digest', types: ['text', 'text'] },
] as const;
