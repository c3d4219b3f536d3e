// HT301 and HT302: functions that run with their owner's rights.
import { ident } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { fixedPath, routines, routineSql, routineSubject, type Routine } from '../facts/functions.ts';
import { looseNames, type Place } from '../facts/loose-names.ts';
import { inScope } from '../facts/naming.ts';
import { relationsNamed } from '../facts/sql-text.ts';
import { roles } from '../facts/rights.ts';

const OPEN_SCHEMAS_SQL = `
  SELECT n.nspname::pg_catalog.text AS name,
         EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
                 WHERE a.grantee = 0 AND a.privilege_type = 'CREATE') AS "forPublic"
  FROM pg_catalog.pg_namespace n
  WHERE ${inScope('n')} AND EXISTS (
    SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::pg_catalog.text[]) AND NOT r.rolsuper
      AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')
    UNION ALL SELECT FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')`;

export const definerWithoutSearchPath: TrapCheck = {
  code: 'HT301',
  name: 'definer-without-search-path',
  title: 'A function that runs as its owner looks names up where its caller says',
  severity: 'warning',
  traps: ['B4-20', 'BX-28'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const known = await context.facts(roles);
    const open = await context.query<{ name: string; forPublic: boolean }>(OPEN_SCHEMAS_SQL, [context.roles]);
    const suspects = all.filter(
      (one) => one.definer && !one.parsed && (one.forPublic || one.callers.length > 0 || one.isTrigger),
    );
    const loose = await looseNames(context, suspects);
    return suspects.flatMap((routine): Draft | readonly Draft[] => {
      const why = weakness(
        routine,
        open.map(({ name }) => name),
      );
      if (why === undefined) return [];
      const names = loose.get(routine) ?? [];
      const schemas = [
        ...new Set([...names.map(({ schema }) => schema), ...(names.length === 0 ? [routine.schema] : [])]),
      ];
      const table = routine.runs.flatMap(relationsNamed).find(({ schema }) => schema === undefined)?.name;
      const planted =
        table === undefined
          ? `${names[0]?.name ?? 'upper'} in a schema of his own`
          : `${table} in a schema of his own (pg_temp will do)`;
      const owner = known.get(routine.owner);
      const high = owner?.super === true || owner?.bypass === true;
      return {
        subject: routineSubject(routine),
        what: `It is SECURITY DEFINER, owned by ${routine.owner}, and ${why}.`,
        effect: `Whoever calls it makes an object called ${planted}, puts that first in search_path, and has it used, or run, as ${routine.owner}${high ? ', who is past row security' : ''}.${lost(names)}`,
        mend: [
          `ALTER ${routineSql(routine)} SET search_path = ${['pg_catalog', ...schemas].map(ident).join(', ')}, pg_temp`,
          ...open
            .filter(({ name, forPublic }) => forPublic && schemas.includes(name))
            .map(({ name }) => `REVOKE CREATE ON SCHEMA ${ident(name)} FROM PUBLIC`),
        ],
        advice:
          'pg_temp last: unless it is named it is searched first for tables. No schema in the path may be one where others create objects.',
        ...(high ? { severity: 'error' as const } : {}),
      };
    });
  },
  page: {
    what: '`SECURITY DEFINER` without `SET search_path`, or with a path that contains a schema where the caller may create objects.',
    effect:
      "The function runs with its owner's rights and finds names by the caller's search path. A `pgp_sym_encrypt` planted in the caller's schema was called as superuser and handed key and data. A temporary table with the name of a real one is read instead.",
    mend: '`ALTER FUNCTION f(…) SET search_path = pg_catalog, app, pg_temp`, and write the schema before each name. Own such functions by a role that can do no more than they need.',
  },
};

// A caller with another path, a restore and (from 17 on) a refresh do not find them.
function lost(names: readonly Place[]): string {
  const [first] = names;
  if (first === undefined) return '';
  const error = first.kind === 'function' ? `function ${first.name}(…)` : `relation "${first.name}"`;
  return ` A caller whose search_path lacks ${first.schema} gets: ${error} does not exist.`;
}

function weakness(routine: Routine, open: readonly string[]): string | undefined {
  const path = fixedPath(routine);
  if (path === undefined) return 'has no search_path of its own';
  const schemas = path.split(',').map((schema) => schema.trim().replace(/^"(.*)"$/, '$1'));
  if (schemas.includes('$user')) return 'its search_path contains "$user"';
  const writable = schemas.find((schema) => open.includes(schema));
  if (writable !== undefined)
    return `its search_path contains ${writable}, where its callers may create objects`;
  const tables = routine.runs.flatMap(relationsNamed).filter(({ schema }) => schema === undefined);
  const found = schemas.some((schema) => schema !== '' && schema !== 'pg_catalog' && schema !== 'pg_temp');
  if (!schemas.includes('pg_temp') && found && tables.length > 0 && routine.language === 'plpgsql')
    return `its search_path does not say pg_temp, which is then searched first for ${tables[0]?.name}`;
  return undefined;
}

export const definerForPublic: TrapCheck = {
  code: 'HT302',
  name: 'definer-for-public',
  title: 'Everybody may call a function that runs as its owner',
  severity: 'warning',
  traps: ['B4-20'],
  find: async ({ facts, roles: given }: TrapContext) => {
    const { all } = await facts(routines);
    const known = await facts(roles);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      // A trigger's function cannot be called, and what runs it is not asked for the right.
      if (!routine.definer || !routine.forPublic || routine.isTrigger) return [];
      const owner = known.get(routine.owner);
      const high = owner?.super === true || owner?.bypass === true;
      const keep = given.filter((name) => routine.callers.includes(name));
      return {
        subject: routineSubject(routine),
        what: `It is SECURITY DEFINER, owned by ${routine.owner}, and EXECUTE was never taken from PUBLIC.`,
        effect: `Every role that can connect and use schema ${routine.schema} does through it what ${routine.owner} may do.`,
        mend: [
          ...(keep.length === 0
            ? []
            : [`GRANT EXECUTE ON ${routineSql(routine)} TO ${keep.map(ident).join(', ')}`]),
          `REVOKE EXECUTE ON ${routineSql(routine)} FROM PUBLIC`,
        ],
        advice: 'Roles that policies and views call it for need EXECUTE as well.',
        ...(high ? {} : { severity: 'info' as const }),
      };
    });
  },
  page: {
    what: 'A SECURITY DEFINER function, made without `REVOKE EXECUTE … FROM PUBLIC`.',
    effect:
      'A new function may be called by everybody. What the owner may do, any role does through it: decrypt, list members, refresh.',
    mend: '`REVOKE EXECUTE ON FUNCTION f(…) FROM PUBLIC` and `GRANT EXECUTE` to the roles that need it, in the transaction that makes it.',
  },
};
