// Sessions of our own to a copy and to the server it is on, and what a session starts with.

// A superuser's session of ours works whatever the database's settings say.
const OURS = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  session_replication_role: 'origin',
  row_security: 'on',
  jit: 'off',
};

/**
 * A connection string whose sessions start with settings of ours, whatever the database or the role would give them.
 * @param more settings beside those
 */
export function withOptions(url: string, more: Readonly<Record<string, string>> = {}): string {
  return startingWith(url, new Map(Object.entries({ ...OURS, ...more })));
}

/**
 * A connection string whose sessions start with the given settings: RESET gives these back.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS a space within a value is
 *   escaped; libpq reads no plus sign as a space, as a form would write it
 */
export function startingWith(url: string, settings: ReadonlyMap<string, string>): string {
  const options = [...settings].map(([name, value]) => `-c ${name}=${escaped(value)}`).join(' ');
  const changed = new URL(url);
  changed.searchParams.delete('options');
  const rest = changed.search.slice(1);
  changed.search = `${rest === '' ? '' : `${rest}&`}options=${encodeURIComponent(options)}`;
  return changed.href;
}

function escaped(value: string): string {
  return value.replaceAll(/[\\ ]/g, (character) => `\\${character}`);
}
