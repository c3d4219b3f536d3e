// Who may still see rows that are gone: as long as somebody may, PostgreSQL keeps them, VACUUM FULL too.
import { HoldfastError } from '../../error.ts';
import type { Run } from './run.ts';

const WAIT_MS = 250;
const WAITS = 240;

/**
 * Waits until no snapshot is left, and none can be made, that sees a row which is gone by now: a rewriting copies such rows.
 * VACUUM FULL goes by its own snapshot too, and that one is as old as the oldest transaction of any database that writes.
 * @throws HoldfastError HF_ERASURE_WAITING who does not end: nothing was rewritten
 * @see https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY
 */
export async function untilUnseen({ context }: Pick<Run, 'context'>): Promise<void> {
  const { session } = context;
  const [next] = await session.query<{ xid: string }>(NEXT_SQL);
  const mark = next?.xid ?? '0';
  for (let waits = 0; ; waits += 1) {
    const holders = await session.query<{ who: string }>(HOLDERS_SQL, [mark]);
    const [first] = holders;
    if (first === undefined) return;
    if (waits >= WAITS || context.signal.aborted) throw seen(holders.map((one) => one.who));
    if (waits === 0) context.tell(`waits for ${first.who}`);
    await context.pause(WAIT_MS);
  }
}

// Everything that has ended has a number below this one.
const NEXT_SQL =
  'SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text AS xid';

const OLDER = (xid: string): string =>
  `pg_catalog.age(${xid}) > pg_catalog.age(($1::pg_catalog.text::pg_catalog.xid8)::pg_catalog.xid)`;

// Snapshots of other databases see nothing of this one; numbers that are being written there make new ones here older. A
// VACUUM that is under way reads by a snapshot that keeps nothing. Whoever is of no database replicates.
const HOLDERS_SQL = `
  SELECT pg_catalog.format('process %s of %s', a.pid, pg_catalog.concat_ws(', ',
      coalesce('database ' || a.datname, 'replication'), a.usename, nullif(a.application_name, ''))) AS who
  FROM pg_catalog.pg_stat_activity a
  WHERE a.pid <> pg_catalog.pg_backend_pid()
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = a.pid)
    AND (${OLDER('a.backend_xid')} OR ${OLDER('a.backend_xmin')}
      AND (a.datname IS NULL OR a.datname = pg_catalog.current_database()))
  UNION ALL
  SELECT pg_catalog.format('prepared transaction %s of database %s', p.gid, p.database)
  FROM pg_catalog.pg_prepared_xacts p WHERE ${OLDER('p.transaction')}
  UNION ALL
  SELECT pg_catalog.format('replication slot %s', s.slot_name)
  FROM pg_catalog.pg_replication_slots s WHERE ${OLDER('s.xmin')} OR ${OLDER('s.catalog_xmin')}
  ORDER BY 1`;

function seen(who: readonly string[]): HoldfastError {
  const more = who.length > 3 ? `, and ${who.length - 3} more` : '';
  return new HoldfastError({
    code: 'HF_ERASURE_WAITING',
    subject: 'writing tables anew after an erasure',
    what: `${who.slice(0, 3).join('; ')}${more} began before its last row was gone and may still see it: PostgreSQL would copy it.`,
    fix: 'The rows are gone already. End what is named; the job goes on by itself, or call holdfast erase again.',
  });
}
