// Materialised views are filled with what a superuser sees: what could leak through one is what it could ever hold.
import { ident, qualified } from '../../sql.ts';
import type { Filling } from './filling.ts';
import type { Population } from './population.ts';

const VIEWS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'm' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY c.oid`;

/** Refreshes every materialised view, those that read another after it; gives those that could not be. */
export async function refreshViews(filling: Filling): Promise<Population['notes']> {
  let waiting = [...(await filling.ask<{ schema: string; name: string; owner: string }>(VIEWS_SQL))];
  for (;;) {
    const failed: { view: (typeof waiting)[number]; why: string }[] = [];
    for (const view of waiting) {
      const why = await refresh(filling, view);
      if (why !== undefined) failed.push({ view, why });
    }
    if (failed.length === 0 || failed.length === waiting.length) {
      return failed.map(({ view: { schema, name }, why }) => ({
        of: { schema, name },
        what: `it could not be refreshed: ${why}`,
      }));
    }
    waiting = failed.map(({ view }) => view);
  }
}

/** A refresh runs as the view's owner, whom row security may leave with nothing; so the view is the superuser's meanwhile. */
async function refresh(
  filling: Filling,
  view: { readonly schema: string; readonly name: string; readonly owner: string },
): Promise<string | undefined> {
  const name = qualified(view);
  try {
    await filling.ask('BEGIN');
    await filling.ask(`ALTER MATERIALIZED VIEW ${name} OWNER TO CURRENT_USER`);
    await filling.ask(`REFRESH MATERIALIZED VIEW ${name}`);
    await filling.ask(`ALTER MATERIALIZED VIEW ${name} OWNER TO ${ident(view.owner)}`);
    await filling.ask('COMMIT');
    return undefined;
  } catch (error) {
    await filling.ask('ROLLBACK').catch(() => undefined);
    return error instanceof Error ? error.message : String(error);
  }
}
