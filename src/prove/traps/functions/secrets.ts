// HT311 to HT314: secrets in columns, and ciphers that are not what they are called.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { definitions, withBody } from '../facts/definitions.ts';
import { type Routine, routines, routineSubject } from '../facts/functions.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { type Call, callsOf, withArgument } from '../facts/sql-text.ts';

const TEXT = /^(text|character varying|character|jsonb?)/;
const PLAIN =
  /^(mfa_secret|totp_secret|otp_secret|two_factor_secret|webhook_secret|client_secret|shared_secret|signing_secret|secret|secret_key|api_key|api_secret|access_token|refresh_token|private_key|encryption_key|password|passwd|credit_card_number|card_number)$/i;

export const plaintextSecretColumn: TrapCheck = {
  code: 'HT311',
  name: 'plaintext-secret-column',
  title: 'A column holds secrets as text',
  severity: 'warning',
  traps: ['B4-22'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table) => {
      if (table.parent !== null) return [];
      return table.columns.flatMap((column): Draft | readonly Draft[] => {
        // A CHECK on it says what form it has, a foreign key that it is a reference.
        const checked = of(table.oid).some(
          ({ kind, columns }) => (kind === 'c' || kind === 'f') && columns.includes(column.name),
        );
        if (!PLAIN.test(column.name) || !TEXT.test(column.type) || checked) return [];
        const beside = table.columns.find(
          ({ name }) => name === `${column.name}_encrypted` || name === `encrypted_${column.name}`,
        );
        return {
          subject: columnSubject(table, column.name),
          what: `It is ${column.type}${beside === undefined ? '' : `, and ${beside.name} stands beside it`}.`,
          effect: `Whoever reads the table, a dump, a replica or the log of a failed statement reads the secret${beside === undefined ? '' : '; the encrypted column protects nothing while this one is filled'}.`,
          mend: [],
          advice:
            beside === undefined
              ? 'Encrypt in the application, or keep a hash where it only has to be recognised; then empty and drop the column.'
              : `Move what is left to ${beside.name}, empty this column, and drop it.`,
        };
      });
    });
  },
  page: {
    what: 'A text column called `mfa_secret`, `webhook_secret`, `api_key` or the like; sometimes with an encrypted twin that was added later.',
    effect:
      'The secret is in every dump, replica and log line. The encrypted twin helps nobody while the plain column is still filled.',
    mend: 'Ciphertext made by the application, or a hash where the value only has to be recognised. Then `UPDATE … SET mfa_secret = NULL` and drop the column. A CHECK that says what form the value has (a reference, a ciphertext) quiets this check.',
  },
};

function columnSubject(table: Relation, column: string): string {
  return `column ${table.schema}.${table.name}.${column}`;
}

const PASSWORD = /^(password|passwd|pwd)_?(hash|digest|hashed)$|^hashed_password$/i;
const FORMS = String.raw`^(\$(argon2id?|2[abxy]|scrypt|pbkdf2[^$]*)\$|SCRAM-SHA-256\$)`;

export const passwordUnchecked: TrapCheck = {
  code: 'HT312',
  name: 'password-unchecked',
  title: 'A password column accepts what is no password hash',
  severity: 'info',
  traps: ['B1-11', 'B4-22'],
  find: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(constraints);
    return tables.flatMap((table) => {
      if (table.parent !== null) return [];
      return table.columns.flatMap((column): Draft | readonly Draft[] => {
        const checked = of(table.oid).some(
          ({ kind, columns }) => kind === 'c' && columns.includes(column.name),
        );
        if (!PASSWORD.test(column.name) || !TEXT.test(column.type) || checked) return [];
        const name = `${table.name.slice(0, 40)}_${column.name.slice(0, 15)}_form`;
        return {
          subject: columnSubject(table, column.name),
          what: `It is ${column.type} without a CHECK.`,
          effect:
            'A plain password is accepted, and so is what crypt() answers to a salt it does not know: a DES hash of eight characters.',
          mend: [
            `ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${ident(name)} CHECK (${ident(column.name)} ~ '${FORMS}') NOT VALID`,
            `ALTER TABLE ${qualified(table)} VALIDATE CONSTRAINT ${ident(name)}`,
          ],
          advice:
            'New rows are held to it from the first statement on. Where the second fails an old row is no password hash: let its owner set a password anew, then validate.',
        };
      });
    });
  },
  page: {
    what: 'A `password_hash` column of type text without a CHECK.',
    effect:
      "pgcrypto has no Argon2id (`gen_salt: Unknown salt algorithm`), and `crypt('pw', '$argon2id$…')` answers with a traditional DES hash without an error. Such values, and plain passwords, are stored unseen.",
    mend: "Hash in the application and hold the column to the form: `CHECK (password_hash LIKE '$argon2id$%')`.",
  },
};

interface Missing {
  readonly names: string;
  /** Which argument says what is wanted; -1 is the last. */
  readonly argument: number;
  readonly wanted: RegExp;
  readonly effect: string;
}

const MISSING: readonly Missing[] = [
  {
    names: 'gen_salt',
    argument: 0,
    wanted: /^\s*'(argon2\w*|scrypt|pbkdf2)'/i,
    effect: 'gen_salt: Unknown salt algorithm',
  },
  {
    names: 'crypt',
    argument: 1,
    wanted: /'(\$argon2\w*)\$/i,
    effect: 'crypt() answers an unknown salt with a DES hash of the first eight characters, without an error',
  },
  {
    names: 'encrypt|decrypt|encrypt_iv|decrypt_iv',
    argument: -1,
    wanted: /'((?:aes[\w-]*gcm|chacha20)[\w/:-]*)'/i,
    effect: 'No such cipher algorithm',
  },
];

/** Calls that reach pgcrypto: not those of functions of the same name that somebody wrote. */
function ofPgcrypto(
  text: string,
  { names, all }: { names: string; all: readonly Routine[] },
): readonly Call[] {
  return callsOf(text, names).filter(
    ({ schema, name }) =>
      !all.some((own) => own.name === name && (schema === undefined || own.schema === schema)),
  );
}

export const cipherNotThere: TrapCheck = {
  code: 'HT313',
  name: 'cipher-not-there',
  title: 'A function asks pgcrypto for what it does not have',
  severity: 'error',
  traps: ['B1-10', 'B1-11'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine) =>
      MISSING.flatMap(({ names, argument, wanted, effect }): Draft | readonly Draft[] => {
        const asked = [routine.body, ...routine.executed]
          .flatMap((text) => ofPgcrypto(text, { names, all }))
          .map(({ parts }) => wanted.exec(parts.at(argument) ?? '')?.[1])
          .find((found) => found !== undefined);
        if (asked === undefined) return [];
        return {
          subject: routineSubject(routine),
          what: `It asks pgcrypto for ${asked}.`,
          effect: `pgcrypto has no such algorithm: ${effect}.`,
          mend: [],
          advice:
            'Hash passwords (Argon2id) and encrypt (AES-256-GCM) in the application; the database stores the result.',
        };
      }),
    );
  },
  page: {
    what: "`gen_salt('argon2id')`, `crypt(pw, '$argon2id$…')` or `encrypt(data, key, 'aes-gcm')`.",
    effect:
      'pgcrypto knows bf, md5, xdes and des for passwords and AES in CBC and ECB: `gen_salt: Unknown salt algorithm`, `Cannot use "aes-gcm": No such cipher algorithm`. Worst, crypt() with an argon2 salt fails open: it answers with a DES hash.',
    mend: 'Hash and encrypt in the application; store what comes out, and hold the column to its form with a CHECK.',
  },
};

export const weakSymmetricDefault: TrapCheck = {
  code: 'HT314',
  name: 'weak-symmetric-default',
  title: 'pgp_sym_encrypt is used with its defaults',
  severity: 'info',
  traps: ['B4-21'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const bad = all.filter(({ body }) => withoutOptions(body, all).length > 0);
    const definition = await definitions(context, bad);
    return bad.map((routine): Draft => ({
      subject: routineSubject(routine),
      what: 'It calls pgp_sym_encrypt without options.',
      effect:
        'The cipher is AES-128, the result differs at every call (no equality, no UNIQUE), no key id is kept so that keys cannot be changed, and each call takes about a millisecond.',
      mend: [],
      rewrite: {
        text: definition(routine),
        change: (now) =>
          withBody(now, (body) => withArgument(body, withoutOptions(body, all), ", 'cipher-algo=aes256'")),
      },
      advice:
        'What is encrypted already stays readable. A key version beside the value lets keys be changed; look-ups need a keyed hash in a column of its own.',
    }));
  },
  page: {
    what: '`pgp_sym_encrypt(data, key)` with two arguments.',
    effect:
      'AES-128, a random result at every call, about 1.1 ms to encrypt and 0.7 ms to decrypt, and no trace of which key was used.',
    mend: "`pgp_sym_encrypt(data, key, 'cipher-algo=aes256')` at least; envelope encryption in the application for keys that must be changed.",
  },
};

function withoutOptions(body: string, all: readonly Routine[]): readonly Call[] {
  return ofPgcrypto(body, { names: 'pgp_sym_encrypt|pgp_sym_encrypt_bytea', all }).filter(
    ({ parts }) => parts.length === 2,
  );
}
