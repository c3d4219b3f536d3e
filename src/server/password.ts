// A password that is never in an SQL statement: the server is given only what it checks one against.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const SALT_BYTES = 16;
const PASSWORD_BYTES = 24;
const KEY_BYTES = 32;
// The password is random, so more rounds than the protocol asks for would only slow each login down.
const ROUNDS = 4096;

/** A random password and its verifier, as `ALTER ROLE … PASSWORD` takes it. */
export interface Password {
  readonly password: string;
  readonly verifier: string;
}

/**
 * Makes a random password.
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html the form of a SCRAM-SHA-256 verifier
 */
export function makePassword(): Password {
  const password = randomBytes(PASSWORD_BYTES).toString('hex');
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, ROUNDS, KEY_BYTES, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const server = hmac('Server Key').toString('base64');
  return { password, verifier: `SCRAM-SHA-256$${ROUNDS}:${salt.toString('base64')}$${stored}:${server}` };
}
