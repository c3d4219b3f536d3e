// What may be said of an error in the ledger, a log or a metric: one line, no secret.
import { HoldfastError } from '../error.ts';
import { blank, sqlstateOf, SQLSTATE } from '../server/index.ts';

const LONGEST = 600;
const SECRET_NAME = /PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|_KEY$/i;
const SHORTEST_SECRET = 6;
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi;

/**
 * One line on an error: what PostgreSQL or Holdfast said, with the code it is found by. Passwords of connection strings
 * and the values of environment variables whose names speak of secrets are blanked, whoever put them there.
 * @param error whatever was thrown
 * @param url the connection string in use
 */
export function sayError(error: unknown, url = ''): string {
  const text = sentence(error).replaceAll(/\s+/g, ' ').replaceAll(URL_PASSWORD, '$1:***@');
  const clean = blank(text, secrets(url));
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST - 1)}…` : clean;
}

function sentence(error: unknown): string {
  if (error instanceof HoldfastError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const code = sqlstateOf(error);
  const said = error.message === '' ? ((error as { code?: string }).code ?? error.name) : error.message;
  return code === undefined ? said : `${said} (SQLSTATE ${code})`;
}

function secrets(url: string): string[] {
  const named = Object.entries(process.env)
    .filter(([name, value]) => SECRET_NAME.test(name) && (value?.length ?? 0) >= SHORTEST_SECRET)
    .map(([, value]) => value ?? '');
  return [...passwordsOf(url), ...named];
}

function passwordsOf(url: string): string[] {
  try {
    const { password } = new URL(url);
    return [password, decodeURIComponent(password)];
  } catch {
    return [];
  }
}

const GONE = [
  SQLSTATE.connectionException,
  SQLSTATE.connectionFailure,
  SQLSTATE.cannotConnectNow,
  SQLSTATE.adminShutdown,
  SQLSTATE.crashShutdown,
  SQLSTATE.idleInTransactionTimeout,
] as const;
const GONE_WORDS = /Connection terminated|ECONNRESET|EPIPE|ECONNREFUSED|not queryable|socket|has ended/i;

/** Whether an error says that the session is gone, so that another one may be opened. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlstateOf(error);
  if (state !== undefined) return (GONE as readonly string[]).includes(state) || state.startsWith('08');
  if (error instanceof HoldfastError) return error.code === 'HF_CONNECT';
  return error instanceof Error && GONE_WORDS.test(error.message);
}
