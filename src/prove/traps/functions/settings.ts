// HT303 to HT308 and HT322: settings that carry a tenant, a key or a limit.
import { ident, literal } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { definitions } from '../facts/definitions.ts';
import { routines, routineSubject } from '../facts/functions.ts';
import { grouped } from '../facts/grouped.ts';
import { partSubject } from '../facts/naming.ts';
import { policies } from '../facts/policies.ts';
import { relations } from '../facts/relations.ts';
import { fixedSettings, holderOf, resetSetting } from '../facts/settings.ts';

const SECRET = /(key|secret|password|passwd|token|credential)/i;
const NO_SECRET =
  /(_id|_version|_name|_size|_length|_prefix|_ttl|_path|_file|_count|_limit|_type|_days|_encryption|tokens?_max|max_.*)$/i;

function isSecret(name: string): boolean {
  return name.includes('.') && SECRET.test(name) && !NO_SECRET.test(name);
}

const READ = /\bcurrent_setting\s*\(\s*'([\w]+\.[\w.]+)'(?:::text)?\s*(,\s*(?:true|false)\s*)?\)/gi;

export const functionSettingErrors: TrapCheck = {
  code: 'HT303',
  name: 'function-setting-errors',
  title: 'A function fails where its setting is unset or empty',
  severity: 'warning',
  traps: ['BX-09'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const bad = all.flatMap((routine) => {
      // Who catches the error has thought of it.
      if (/\bexception\s+when\b/i.test(routine.code)) return [];
      const read = [...routine.body.matchAll(READ)].find((match) => fails(routine.body, match));
      const setting = read?.[1];
      return read === undefined || setting === undefined || isSecret(setting)
        ? []
        : [{ routine, setting, missing: !/true/i.test(read[2] ?? '') }];
    });
    const definition = await definitions(
      context,
      bad.map(({ routine }) => routine),
    );
    return bad.map(({ routine, setting, missing }): Draft => ({
      subject: routineSubject(routine),
      what: `It reads ${setting} ${missing ? 'without missing_ok' : 'without nullif'}.`,
      effect: `${missing ? `In a session that never set it: unrecognized configuration parameter "${setting}". ` : ''}After a transaction that used SET LOCAL it is '' on that connection, which no uuid and no number is: invalid input syntax.`,
      mend: [mended(definition(routine))],
      advice:
        'Then an unset or empty setting is NULL: see that what the function is used for lets nobody in by NULL.',
    }));
  },
  page: {
    what: "A function, often the helper of all policies, reads `current_setting('app.user_id')::uuid`.",
    effect:
      'In a session that never set it: `unrecognized configuration parameter "app.user_id"`. On a pooled connection after a transaction with SET LOCAL: `invalid input syntax for type uuid: ""`.',
    mend: "`nullif(current_setting('app.user_id', true), '')::uuid`.",
  },
};

const CAST = /^\s*\)*\s*::\s*(?!text|varchar|character varying|citext)\w/i;

function fails(text: string, match: RegExpExecArray): boolean {
  const nulled = /nullif\s*\(\s*(?:pg_catalog\.)?$/i.test(text.slice(0, match.index));
  if (!/true/i.test(match[2] ?? '')) return true;
  return !nulled && CAST.test(text.slice(match.index + match[0].length));
}

function mended(text: string): string {
  const out: string[] = [];
  let at = 0;
  for (const match of text.matchAll(READ)) {
    const prefix = text.slice(0, match.index).endsWith('pg_catalog.') ? 'pg_catalog.' : '';
    const before = text.slice(at, match.index - prefix.length);
    const quiet = `pg_catalog.current_setting('${match[1] ?? ''}', true)`;
    out.push(before, /nullif\s*\(\s*$/i.test(before) ? quiet : `nullif(${quiet}, '')`);
    at = match.index + match[0].length;
  }
  return [...out, text.slice(at)].join('');
}

const SET_CONFIG =
  /\bset_config\s*\(\s*'([\w]+\.[\w.]+)'\s*,((?:[^();]|\((?:[^()]|\([^()]*\))*\))*?),\s*false\s*\)/gi;
const SET =
  /(^|;|\bbegin\b|\bthen\b|\belse\b|\bloop\b|')(\s*)set\s+(?:session\s+)?([a-z_]\w*\.\w+)(\s*=|\s+to\b)/gi;

export const settingOutlivesTransaction: TrapCheck = {
  code: 'HT304',
  name: 'setting-outlives-transaction',
  title: 'A function sets the tenant for the rest of the session',
  severity: 'error',
  traps: ['BX-10'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const named = new Set(
      context.boundaries.flatMap(({ setting, carries = [] }) => [
        setting,
        ...carries.map((one) => one.setting),
      ]),
    );
    const bad = all.flatMap((routine) => {
      const setting =
        [...routine.body.matchAll(SET_CONFIG)][0]?.[1] ?? [...routine.body.matchAll(SET)][0]?.[3];
      return setting === undefined ? [] : [{ routine, setting }];
    });
    const definition = await definitions(
      context,
      bad.map(({ routine }) => routine),
    );
    return bad.map(({ routine, setting }): Draft => {
      const text = definition(routine)
        .replaceAll(SET_CONFIG, (found) => found.replace(/false(\s*\))$/i, 'true$1'))
        .replaceAll(SET, '$1$2SET LOCAL $3$4');
      return {
        subject: routineSubject(routine),
        what: `It sets ${setting} for the session, not for the transaction.`,
        effect: `The setting stays on the connection: the next request that a pool gives it to works as the tenant before.`,
        mend: [text],
        advice:
          'It must be called inside the transaction it is for: outside one the setting is gone at once (WARNING: SET LOCAL can only be used in transaction blocks).',
        ...(named.has(setting) ? {} : { severity: 'warning' as const }),
      };
    });
  },
  page: {
    what: "`set_config('app.tenant_id', $1, false)` or `SET app.tenant_id = …` in a function that opens a request.",
    effect:
      'After COMMIT the value is still there. The next client of the pooled connection sees the rows of the tenant before, until somebody sets another.',
    mend: '`set_config(\'app.tenant_id\', $1, true)` as the first statement of each transaction. `SET` takes no parameter (`syntax error at or near "$1"`), `SET LOCAL` outside a transaction does nothing but warn.',
  },
};

export const settingSetForRole: TrapCheck = {
  code: 'HT305',
  name: 'setting-set-for-role',
  title: 'Sessions begin as a tenant: the setting is fixed for a role or a database',
  severity: 'error',
  traps: ['BX-10'],
  find: async ({ facts, boundaries }) => {
    const named = new Set(
      boundaries.flatMap(({ setting, carries = [] }) => [setting, ...carries.map((one) => one.setting)]),
    );
    const fixed = await facts(fixedSettings);
    return fixed
      .filter(({ name, value }) => named.has(name) && value !== '')
      .map((one): Draft => ({
        subject: `setting ${one.name} of ${holderOf(one)}`,
        what: 'A value other than the empty string is fixed.',
        effect:
          'Every session begins as that owner: a request that forgets to say whose it is reads and writes his rows, without an error.',
        mend: [resetSetting(one)],
        advice: 'The empty string may stand there: policies with nullif then match no row.',
      }));
  },
  page: {
    what: "`ALTER ROLE app SET app.tenant_id = '…'` or `ALTER DATABASE … SET`, often from a test.",
    effect:
      'A new session has the value from the start, and RESET goes back to it. What forgets to set the tenant works as that one.',
    mend: '`ALTER ROLE app RESET app.tenant_id` (or ALTER DATABASE). Sessions that are open keep the old value.',
  },
};

export const secretInSettings: TrapCheck = {
  code: 'HT306',
  name: 'secret-in-settings',
  title: 'A secret stands in the settings of a role, a database or a function',
  severity: 'error',
  traps: ['B4-19'],
  find: async ({ facts }) => {
    const fixed = await facts(fixedSettings);
    const { all } = await facts(routines);
    const inFunctions = all.flatMap((routine): Draft | readonly Draft[] => {
      const name = routine.settings.map((setting) => setting.split('=')[0] ?? '').find(isSecret);
      if (name === undefined) return [];
      return {
        subject: routineSubject(routine),
        what: `It has ${name} in its SET clause.`,
        effect: 'Every role reads it in pg_proc.proconfig; every dump contains it.',
        mend: [
          `ALTER ${routine.kind.toUpperCase()} ${ident(routine.schema)}.${ident(routine.name)}(${routine.arguments}) RESET ${name.split('.').map(ident).join('.')}`,
        ],
        advice:
          'Treat the secret as known and replace it. Encrypt in the application; the database sees ciphertext only.',
      };
    });
    return [
      ...inFunctions,
      ...fixed
        .filter(({ name, value }) => isSecret(name) && value !== '')
        .map((one): Draft => ({
          subject: `setting ${one.name} of ${holderOf(one)}`,
          what: 'Its name says that it is a secret, and its value is stored.',
          effect: 'Every role that can connect reads it: SELECT setconfig FROM pg_db_role_setting, or SHOW.',
          mend: [resetSetting(one)],
          advice:
            'Treat the secret as known and replace it. Encrypt in the application; the database sees ciphertext only.',
        })),
    ];
  },
  page: {
    what: "`ALTER DATABASE shop SET app.encryption_key = '…'`, or the same for a role or in a function's SET clause.",
    effect:
      '`pg_db_role_setting` and `pg_proc.proconfig` are readable by every role; `SHOW app.encryption_key` shows it; the statement that set it stands in the log and, on 15 to 17, in pg_stat_statements.',
    mend: 'Reset it, replace the key, and encrypt in the application with a key from a key service.',
  },
};

export const keyReadFromSetting: TrapCheck = {
  code: 'HT307',
  name: 'key-read-from-setting',
  title: 'A function takes a key from a session setting',
  severity: 'warning',
  traps: ['B4-19'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      const setting = [...routine.body.matchAll(READ)].map((match) => match[1] ?? '').find(isSecret);
      if (setting === undefined) return [];
      return {
        subject: routineSubject(routine),
        what: `It reads ${setting}.`,
        effect: `Whoever is in the session reads the key with SHOW ${setting}; SET ${setting} = … is kept in clear in the log and in pg_stat_statements up to 17. Where it is unset the call fails (unrecognized configuration parameter "${setting}") and the log shows the statement with the plaintext in it.`,
        mend: [],
        advice:
          'Encrypt and decrypt in the application, with a key from a key service; the database sees ciphertext only.',
      };
    });
  },
  page: {
    what: "`pgp_sym_encrypt(data, current_setting('app.encryption_key'))`.",
    effect:
      "The key is visible to the session (`SHOW`), to whoever reads the log or pg_stat_statements (15 to 17 keep `SET … = 'key'` as it was written), and to `pg_db_role_setting` where it was fixed. With the key unset the failed statement is logged with the plaintext.",
    mend: 'Encrypt in the application (AES-256-GCM, key from a key service).',
  },
};

const SERVER_TIMEOUT_SQL = `
  SELECT s.reset_val AS value FROM pg_catalog.pg_settings s WHERE s.name = 'statement_timeout' AND s.reset_val <> '0'`;

export const timeoutForEverybody: TrapCheck = {
  code: 'HT308',
  name: 'timeout-for-everybody',
  title: 'A statement timeout for everybody cuts maintenance off',
  severity: 'warning',
  traps: ['BX-26', 'B2-06'],
  find: async ({ facts, query, roles }) => {
    const fixed = await facts(fixedSettings);
    const timeouts = fixed.filter(({ name, value }) => name === 'statement_timeout' && !/^0\D*$/.test(value));
    const forAll = timeouts.filter(({ role }) => role === null);
    const [server] = timeouts.length > 0 ? [] : await query<{ value: string }>(SERVER_TIMEOUT_SQL);
    const forRoles = (value: string): readonly string[] =>
      roles.map((role) => `ALTER ROLE ${ident(role)} SET statement_timeout = ${literal(value)}`);
    const effect =
      'REFRESH, VACUUM and CREATE INDEX CONCURRENTLY end with canceling statement due to statement timeout, the index is left invalid; sessions that are open already keep the old value.';
    return [
      ...forAll.map((one): Draft => ({
        subject: `setting statement_timeout of ${holderOf(one)}`,
        what: `It is ${one.value} for every role.`,
        effect,
        mend: [resetSetting(one), ...forRoles(one.value)],
        advice:
          'Give each application role its own (ALTER ROLE … SET statement_timeout), and maintenance none.',
      })),
      ...(server === undefined
        ? []
        : [
            {
              subject: 'setting statement_timeout of the server',
              what: `It is ${server.value} ms for every role.`,
              effect,
              mend: [],
              advice: 'ALTER SYSTEM RESET statement_timeout, reload, and give each application role its own.',
            },
          ]),
    ];
  },
  page: {
    what: "`ALTER DATABASE shop SET statement_timeout = '30s'`, `ALTER ROLE ALL` or `ALTER SYSTEM`.",
    effect:
      'It holds for maintenance too: `canceling statement due to statement timeout` ends REFRESH, VACUUM and CREATE INDEX CONCURRENTLY, which leaves an invalid index. In a migration `ALTER SYSTEM cannot run inside a transaction block`.',
    mend: "`ALTER ROLE app SET statement_timeout = '30s'` for the roles of applications; none for maintenance.",
  },
};

export const sessionSettingTrusted: TrapCheck = {
  code: 'HT322',
  name: 'session-setting-trusted',
  title: 'Policies trust a setting that any session may set and that a plain SET leaves behind',
  severity: 'info',
  traps: ['BX-10'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const { all } = await facts(policies);
    const functions = await facts(routines);
    const read = all.flatMap((policy) => {
      const table = byOid(policy.relation);
      const called = policy.calls.map((oid) => functions.byOid(oid)?.body ?? '');
      const text = [policy.using, policy.check, ...called].join(' ');
      const settings = new Set([...text.matchAll(READ)].map(([, name = '']) => name));
      return table === undefined
        ? []
        : [...settings].map((setting) => ({ setting, by: partSubject('policy', policy.name, table) }));
    });
    return [...grouped(read, ({ setting }) => setting)].map(([setting, by]): Draft => ({
      subject: `setting ${setting}`,
      what: by.length === 1 ? `${by[0]?.by} compares with it.` : `${by.length} policies compare with it.`,
      effect: `SET ${setting} outlives its transaction: the next request on the same connection works as the owner before. Whoever can send SQL of his own can set it to any owner.`,
      mend: [],
      advice: `Set it with SELECT set_config('${setting}', $1, true) as the first statement of each transaction, and test that a connection given back carries nothing.`,
    }));
  },
  page: {
    what: 'Row security compares a column with a session setting.',
    effect:
      "After `BEGIN; SET app.tenant_id = 'x'; COMMIT` the next client of the connection still is x. `SET LOCAL` outside a transaction does nothing (`WARNING: SET LOCAL can only be used in transaction blocks`), and `SET app.tenant_id = $1` is a syntax error. A setting guards against mistakes, not against somebody who can run SQL of his own.",
    mend: "`SELECT set_config('app.tenant_id', $1, true)` first in every transaction; a test that a returned connection carries no tenant.",
  },
};
