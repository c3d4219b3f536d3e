// HT303 to HT308 and HT322: settings that carry a tenant, a key or a limit.
import { ident, literal } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { definitions, withBody } from '../facts/definitions.ts';
import { type Routine, routines, routineSubject } from '../facts/functions.ts';
import { grouped } from '../facts/grouped.ts';
import { partSubject } from '../facts/naming.ts';
import { policies } from '../facts/policies.ts';
import { relations } from '../facts/relations.ts';
import { fixedSettings, holderOf, resetSetting } from '../facts/settings.ts';
import { type Call, callsOf, inside, matchesInCode, replacedInCode, tokens } from '../facts/sql-text.ts';
import type { Around } from '../facts/statements.ts';

// Words of a name: `app.encryptionKey_v2` is app, encryption, key.
const ALWAYS = /^(?:secret|secrets|password|passwd|passphrase|credential|credentials|pepper|apikey)$/;
const LAST = /^(?:key|keys|token|tokens)$/;
const NO_SECRET =
  /^(?:id|ids|version|name|size|length|prefix|ttl|path|file|count|limit|type|days|hours|minutes|seconds|lifetime|rounds|encryption|enabled|required|policy|url|uri|alg|algorithm|rotation|expiry|min|max|mode)$/;
const OPEN_KEY =
  /^(?:public|primary|foreign|sort|partition|idempotency|cache|routing|shard|group|lock|business|natural|surrogate|unique|dedup)$/;

function isSecret(setting: string): boolean {
  const [, ...below] = setting.split('.');
  const words = below
    .join('_')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => !/^(?:v?\d+|old|new|current|next|previous|hex|base64|value)$/.test(word));
  const last = words.at(-1) ?? '';
  if (words.some((word) => word === 'max' || OPEN_KEY.test(word)) || NO_SECRET.test(last)) return false;
  return LAST.test(last) || words.some((word) => ALWAYS.test(word));
}

const READ =
  /(?<![\w$."])(?:pg_catalog\s*\.\s*)?current_setting\s*\(\s*'(\w+\.[\w.]+)'(?:\s*::\s*(?:pg_catalog\.)?text)?\s*(,\s*(?:true|false)\s*)?\)/gi;

/** Settings that a function's code reads, in its order; those of statements it puts together as well. */
function settingsRead({ body, executed }: Routine): readonly string[] {
  return [body, ...executed].flatMap((text) => matchesInCode(text, READ).map(([, name = '']) => name));
}

export const functionSettingErrors: TrapCheck = {
  code: 'HT303',
  name: 'function-setting-errors',
  title: 'A function fails where its setting is unset or empty',
  severity: 'warning',
  traps: ['BX-09'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const bad = all.flatMap((routine) => {
      const read = failingRead(routine);
      return read === undefined || isSecret(read.setting) ? [] : [{ routine, ...read }];
    });
    const definition = await definitions(
      context,
      bad.map(({ routine }) => routine),
    );
    return bad.map(({ routine, setting, missing }): Draft => ({
      subject: routineSubject(routine),
      what: `It reads ${setting} ${missing ? 'without missing_ok' : 'without nullif'}.`,
      effect: `${missing ? `In a session that never set it: unrecognized configuration parameter "${setting}". ` : ''}After a transaction that used SET LOCAL it is '' on that connection, which no uuid and no number is: invalid input syntax.`,
      mend: [],
      rewrite: { text: definition(routine), change: mended },
      advice: `Written as nullif(current_setting('${setting}', true), '') an unset or empty setting is NULL: see that what the function is used for lets nobody in by NULL.`,
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

interface FailingRead {
  readonly setting: string;
  /** It fails where the setting was never set, not only where it is empty. */
  readonly missing: boolean;
}

function failingRead({ statements, executed }: Routine): FailingRead | undefined {
  const handled = statements.some(({ within }) => within.some(({ catches }) => catches.length > 0));
  const texts = [
    ...statements.map(({ text, within }) => ({ text, by: caught(within) })),
    // Where a statement is put together is not where it is run.
    ...executed.map((text) => ({ text, by: handled ? ['others'] : [] })),
  ];
  for (const { text, by } of texts) {
    const found = matchesInCode(text, READ).find((match) =>
      isMissing(match) ? !by.some(catchesUnset) : castsEmpty(match) && !by.some(catchesEmpty),
    );
    if (found !== undefined) return { setting: found[1] ?? '', missing: isMissing(found) };
  }
  return undefined;
}

function isMissing([, , missingOk = '']: RegExpExecArray): boolean {
  return !/true/i.test(missingOk);
}

function castsEmpty({ 0: found, index, input }: RegExpExecArray): boolean {
  return !NULLED.test(input.slice(0, index)) && CAST.test(input.slice(index + found.length));
}

// A handler catches what its own block does, and nothing of other handlers or of the declarations.
function caught(within: readonly Around[]): readonly string[] {
  return within.flatMap(({ catches }, at) => (within[at + 1]?.kind === 'handler' ? [] : catches));
}

function catchesUnset(condition: string): boolean {
  return /^(?:others|undefined_object|syntax_error_or_access_rule_violation|sqlstate\s*'42(?:704|000)')$/.test(
    condition,
  );
}

function catchesEmpty(condition: string): boolean {
  return /^(?:others|invalid_text_representation|invalid_datetime_format|data_exception|sqlstate\s*'22\w+')$/.test(
    condition,
  );
}

const NULLED = /nullif\s*\(\s*$/i;

function mended(text: string): string {
  return withBody(text, (body) =>
    replacedInCode(body, READ, ({ 1: setting = '', input, index }) => {
      const quiet = `pg_catalog.current_setting('${setting}', true)`;
      return NULLED.test(input.slice(0, index)) ? quiet : `nullif(${quiet}, '')`;
    }),
  );
}

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
      const setting = setForSession(routine);
      return setting === undefined ? [] : [{ routine, setting }];
    });
    const definition = await definitions(
      context,
      bad.map(({ routine }) => routine),
    );
    return bad.map(({ routine, setting }): Draft => {
      return {
        subject: routineSubject(routine),
        what: `It sets ${setting} for the session, not for the transaction.`,
        effect: `The setting stays on the connection: the next request that a pool gives it to works as the tenant before.`,
        mend: [],
        rewrite: { text: definition(routine), change: (now) => madeLocal(now, routine) },
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

const NAMED = /^\s*(?:setting_name\s*(?:=>|:=)\s*)?'(\w+\.[\w.]+)'(?:\s*::\s*(?:pg_catalog\.)?text)?\s*$/i;
const NOT_LOCAL = /^(\s*(?:is_local\s*(?:=>|:=)\s*)?)false(\s*(?:::\s*bool(?:ean)?\s*)?)$/i;
const SET = /^(\s*)set\s+(?:session\s+)?([a-z_]\w*(?:\.\w+)+)(?=\s*=|\s+to\b)/i;

/** Calls of set_config that last as long as the session. */
function lasting(text: string): readonly Call[] {
  return callsOf(text, 'set_config').filter(
    ({ parts: [name = '', , local = ''] }) => NAMED.test(name) && NOT_LOCAL.test(local),
  );
}

function setForSession({ body, statements, executed }: Routine): string | undefined {
  const [call] = [body, ...executed].flatMap(lasting);
  const run = [...statements.flatMap(({ text, kind }) => (kind === 'statement' ? text : [])), ...executed];
  const plain = run.map((text) => SET.exec(text)?.[2]).find((name) => name !== undefined);
  return (call === undefined ? undefined : NAMED.exec(call.parts[0] ?? '')?.[1]) ?? plain;
}

const SET_IN_BODY =
  /(?:^|;|\b(?:begin|then|else|loop)\b)\s*set\s+(?:session\s+)?(?=[a-z_]\w*(?:\.\w+)+(?:\s*=|\s+to\b))/gi;

function madeLocal(definition: string, { executed }: Routine): string {
  return withBody(definition, (body) => {
    const local = replacedInCode(body, SET_IN_BODY, ([found]) =>
      found.replace(/set\s+(?:session\s+)?$/i, 'SET LOCAL '),
    );
    const called = lasting(local)
      .toSorted((a, b) => b.end - a.end)
      .reduce((now, { end }) => lastFalseTrue(now.slice(0, end)) + now.slice(end), local);
    // A string is changed where it is the beginning of what is executed.
    return tokens(called)
      .map(({ kind, text }) => {
        if (kind !== 'text' || !SET.test(inside(text))) return text;
        const runs = executed.some((one) => one.trimStart().startsWith(inside(text).trim()));
        return runs ? text.replace(/set\s+(?:session\s+)?/i, 'SET LOCAL ') : text;
      })
      .join('');
  });
}

function lastFalseTrue(text: string): string {
  return text.replace(/false(\s*(?:::\s*bool(?:ean)?\s*)?\))$/i, 'true$1');
}

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
      const setting = settingsRead(routine).find(isSecret);
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
      const texts = [policy.using ?? '', policy.check ?? '', ...called];
      const settings = new Set(
        texts.flatMap((text) => matchesInCode(text, READ).map(([, name = '']) => name)),
      );
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
