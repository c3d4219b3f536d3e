// What a function's text names without a schema, and where that is found.
import type { TrapContext } from '../check.ts';
import { fixedPath, type Routine } from './functions.ts';
import { callsNamed, type Named, relationsNamed } from './sql-text.ts';

const PLACES_SQL = `
  SELECT n.nspname AS schema, o.name, o.kind FROM (
    SELECT p.pronamespace AS namespace, p.proname::pg_catalog.text AS name, 'function' AS kind FROM pg_catalog.pg_proc p
    WHERE p.proname = ANY ($1::pg_catalog.name[])
    UNION SELECT c.relnamespace, c.relname::pg_catalog.text, 'relation' FROM pg_catalog.pg_class c
    WHERE c.relname = ANY ($2::pg_catalog.name[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
  WHERE n.nspname !~ '^pg_(toast|temp)'`;

/** An object a text names. */
export interface Place {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'function' | 'relation';
}

/**
 * What functions name without a schema and pg_catalog does not have, with the schema it is found in: the function's own
 * before others. Functions with a fixed search path, or whose body was parsed when they were made, name nothing so.
 */
export async function looseNames(
  { query }: Pick<TrapContext, 'query'>,
  functions: readonly Routine[],
): Promise<ReadonlyMap<Routine, readonly Place[]>> {
  const open = functions.filter((routine) => fixedPath(routine) === undefined && !routine.parsed);
  const names = new Map(
    open.map((routine) => [
      routine,
      {
        functions: routine.runs.flatMap(callsNamed).flatMap(unqualified),
        relations: routine.runs.flatMap(relationsNamed).flatMap(unqualified),
      },
    ]),
  );
  const asked = [...names.values()];
  const places = await query<Place>(PLACES_SQL, [
    [...new Set(asked.flatMap((one) => one.functions))],
    [...new Set(asked.flatMap((one) => one.relations))],
  ]);
  const inCatalogue = new Set(
    places.filter(({ schema }) => schema === 'pg_catalog').map(({ kind, name }) => `${kind} ${name}`),
  );
  const found = new Map<Routine, readonly Place[]>();
  for (const [routine, named] of names) {
    const loose = places.filter(
      ({ kind, name, schema }) =>
        schema !== 'pg_catalog' &&
        schema !== 'information_schema' &&
        !inCatalogue.has(`${kind} ${name}`) &&
        (kind === 'function' ? named.functions : named.relations).includes(name),
    );
    if (loose.length > 0) found.set(routine, nearest(loose, routine));
  }
  return found;
}

function unqualified({ schema, name }: Named): readonly string[] {
  return schema === undefined ? [name] : [];
}

// Of several schemas that hold the name the function's own is meant.
function nearest(places: readonly Place[], { schema }: Routine): readonly Place[] {
  const names = [...new Set(places.map(({ name }) => name))];
  return names.flatMap((name) => {
    const all = places.filter((place) => place.name === name);
    return all.find((place) => place.schema === schema) ?? all[0] ?? [];
  });
}
