// Places in the archive's table for rows that come one by one: a partition a period, made when its first row comes.
import { label, type RelationName } from '../../define/model.ts';
import { mendings } from '../../define/protection.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { ident, qualified } from '../../sql.ts';
import { cut } from '../name.ts';
import { gaps, suffix } from '../partitions/period.ts';
import { attachedTo, freeName } from './catalogue.ts';
import { attach, move, type Run, unfiltered, unitsNow } from './run.ts';
import { instantOf } from './terms.ts';
import { asPiece, newUnit, subjectOf, unitsOf } from './unit.ts';

const OWNER_SQL = `
  SELECT pg_catalog.pg_get_userbyid(c.relowner) AS owner FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

/**
 * Makes sure that rows of a range find a place in the archive. A place that is there already is used; one that was
 * complete is open again, and counted anew when it is complete.
 */
export async function receive(
  run: Run,
  archive: RelationName,
  range: { readonly from: Date; readonly to: Date },
): Promise<void> {
  const wanted = { fromMs: range.from.getTime(), toMs: range.to.getTime() };
  const there = await attachedTo(run.context.session.query, archive, run.terms.type);
  for (const unit of await unitsNow(run))
    if (unit.state === 'archived' && unit.from !== null && unit.from < range.to && unit.to > range.from)
      await move(run, unit, { to: { state: 'receiving' } });
  if (gaps([wanted], there).length === 0) return;
  await unfiltered(run, async (query) => {
    const again = await attachedTo(query, archive, run.terms.type);
    for (const { fromMs, toMs } of gaps([wanted], again))
      await makePlace(run, query, { archive, from: new Date(fromMs), to: new Date(toMs) });
  });
}

async function makePlace(
  run: Run,
  query: CatalogueQuery,
  place: { readonly archive: RelationName; readonly from: Date; readonly to: Date },
): Promise<void> {
  const { terms, context } = run;
  const { archive, from, to } = place;
  const ending = `_${suffix(terms.every, from.getTime())}`;
  const name = await freeName(query, ending, {
    schemas: [archive.schema],
    name: (tail) => `${cut(archive.name, 63 - Buffer.byteLength(tail))}${tail}`,
  });
  const table = { schema: archive.schema, name };
  await query(
    `CREATE TABLE ${qualified(table)} (LIKE ${qualified(archive)} INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)`,
  );
  const [{ owner } = { owner: undefined }] = await query<{ owner: string }>(OWNER_SQL, [
    archive.schema,
    archive.name,
  ]);
  if (owner !== undefined) await query(`ALTER TABLE ${qualified(table)} OWNER TO ${ident(owner)}`);
  await attach(query, table, {
    parent: archive,
    from: instantOf(terms, from),
    to: instantOf(terms, to),
  });
  const roles = context.model.roles.map((role) => role.name);
  for (const mending of await mendings(query, roles, archive))
    if (label(mending.on) === label(table)) await query(mending.sql);
  const earlier = unitsOf(terms, await context.pieces.list(subjectOf(terms.of), query));
  const unit = newUnit(earlier, { state: 'receiving', from, to, table, since: context.now });
  await context.pieces.put(query, asPiece(terms, unit), null);
}
