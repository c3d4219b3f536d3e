// Who is meant: the key a person types becomes the one PostgreSQL prints, and that a digest with this database's salt.
import { randomBytes } from 'node:crypto';
import type { MaintenanceSession } from '../../define/job.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { asType, type Sought } from './condition.ts';
import { digestOf, type Key } from './digest.ts';
import type { Carrier, ErasurePlan, Subject } from './plan.ts';

/** The subject a request names: `person:7`, and `person:acme/ana` where a key means something within another column. */
export interface Named {
  readonly subject: Subject;
  readonly key: Key;
}

/**
 * Reads what was typed after `--subject`.
 * @throws HoldfastError HF_ERASURE_SUBJECT when the definition knows no such kind of subject or the form is another
 */
export function namedSubject(plan: ErasurePlan, text: string): Named {
  const colon = text.indexOf(':');
  const name = colon === -1 ? text : text.slice(0, colon);
  const subject = plan.subjects.find((one) => one.name === name);
  const forms = plan.subjects.map((one) => `${one.name}:${one.within ? 'WITHIN/KEY' : 'KEY'}`).join(', ');
  const refuse = (what: string): never => {
    throw new HoldfastError({
      code: 'HF_ERASURE_SUBJECT',
      subject: '--subject',
      what,
      fix: `Write one of ${forms}.`,
    });
  };
  if (subject === undefined) return refuse(`the definition erases no ${JSON.stringify(name)}.`);
  const given = colon === -1 ? '' : text.slice(colon + 1);
  const slash = subject.within ? given.indexOf('/') : -1;
  const key = given.slice(slash + 1);
  if (key === '' || (subject.within && slash < 1)) return refuse(`it names no ${name}.`);
  return { subject, key: { key, ...(subject.within && { within: given.slice(0, slash) }) } };
}

/**
 * The subject as every row carries it: a number without leading zeros, a uuid in small letters.
 * @throws HoldfastError HF_ERASURE_SUBJECT when the key is no value of the columns that carry it
 */
export async function soughtIn(
  session: MaintenanceSession,
  plan: ErasurePlan,
  { subject, key }: Named,
): Promise<Sought> {
  const salt = await saltOf(session, plan);
  const printed = {
    key: await printedAs(
      session,
      subject.rules.flatMap((rule) => rule.by),
      key.key,
    ),
    ...(key.within !== undefined && {
      within: await printedAs(
        session,
        subject.rules.flatMap((rule) => rule.within ?? []),
        key.within,
      ),
    }),
  };
  return { ...printed, digest: digestOf(salt, subject.name, printed) };
}

async function printedAs(
  session: MaintenanceSession,
  carriers: readonly Carrier[],
  text: string,
): Promise<string> {
  const types = [...new Set(carriers.map((one) => one.type))];
  let printed = text;
  for (const type of types) {
    try {
      const [row] = await session.query<{ text: string }>(
        `SELECT ${asType('$1', type)}::pg_catalog.text AS text`,
        [text],
      );
      printed = row?.text ?? text;
    } catch (error) {
      if (!String((error as { code?: unknown }).code).startsWith('22')) throw error;
      throw new HoldfastError({
        code: 'HF_ERASURE_SUBJECT',
        subject: '--subject',
        what: `its key is no ${type}, which the columns that carry it are.`,
        fix: 'Give the key as it stands in the database.',
        cause: error,
      });
    }
  }
  return printed;
}

/** The salt of this database's digests; made when it is not there. The first to commit one decides. */
export async function saltOf(session: MaintenanceSession, plan: ErasurePlan): Promise<Buffer> {
  const salt = await session.transaction(async (query) => {
    const [there] = await query<{ salt: Buffer }>(`SELECT salt FROM ${qualified(plan.salt)}`);
    if (there !== undefined) return there.salt;
    await query(`INSERT INTO ${qualified(plan.salt)} (salt) VALUES ($1) ON CONFLICT (one) DO NOTHING`, [
      randomBytes(32),
    ]);
    const [made] = await query<{ salt: Buffer }>(`SELECT salt FROM ${qualified(plan.salt)}`);
    return made?.salt;
  });
  if (salt !== undefined) return salt;
  throw new HoldfastError({
    code: 'HF_ERASURE_REGISTER',
    subject: `table ${plan.salt.schema}.${plan.salt.name}`,
    what: 'it holds no salt, and none could be put there.',
    fix: 'Apply the definition with holdfast apply; then try again.',
  });
}
