// A password that no server ever sees: what is sent is the verifier it would make of it, so that no statement and no log
// of statements holds a secret. https://www.rfc-editor.org/rfc/rfc5802#section-3, https://www.rfc-editor.org/rfc/rfc7677
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const ITERATIONS = 4_096;

/** A fresh password of 48 hexadecimal digits, and what `ALTER ROLE … PASSWORD` may be given for it. */
export function freshPassword(): { readonly password: string; readonly verifier: string } {
  const password = randomBytes(24).toString('hex');
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  const verifier = `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
  return { password, verifier };
}
