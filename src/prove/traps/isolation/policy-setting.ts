// HT116: policies that fail where the setting is unset or empty.
import { ident, literal, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { partSubject } from '../facts/naming.ts';
import { policies } from '../facts/policies.ts';
import { relations } from '../facts/relations.ts';

// As pg_get_expr writes it: (current_setting('app.tenant'::text))::uuid, with `, true` for missing_ok.
const READ = /current_setting\('((?:[^']|'')+)'::text(, true|, false)?\)/g;
const NULLED = /NULLIF\(\s*$/i;
const CAST = /^\)*::(?!text|character varying|citext)/;

export const policySettingErrors: TrapCheck = {
  code: 'HT116',
  name: 'policy-setting-errors',
  title: 'A policy fails where its setting is unset or empty',
  severity: 'warning',
  traps: ['BX-09'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const { all } = await facts(policies);
    return all.flatMap((policy): Draft | readonly Draft[] => {
      const table = byOid(policy.relation);
      const bad = [policy.using, policy.check].flatMap((text) => (text === null ? [] : readsOf(text)));
      const [first] = bad;
      if (table === undefined || first === undefined) return [];
      const setting = first.setting.replaceAll("''", "'");
      const unset = bad.some(({ missing }) => missing);
      const empty = bad.find(({ cast }) => cast !== undefined);
      const effects = [
        ...(unset
          ? [`A session that never set it fails: unrecognized configuration parameter "${setting}".`]
          : []),
        ...(empty === undefined
          ? []
          : [
              `After a transaction that used SET LOCAL it is '' on that connection, and every statement fails: invalid input syntax for type ${empty.cast}: "".`,
            ]),
      ];
      const clauses = [
        ...(policy.using === null ? [] : [`USING (${mended(policy.using)})`]),
        ...(policy.check === null ? [] : [`WITH CHECK (${mended(policy.check)})`]),
      ];
      return {
        subject: partSubject('policy', policy.name, table),
        what: `It reads ${setting} ${unset ? 'without missing_ok' : 'without nullif'}.`,
        effect: effects.join(' '),
        mend: [`ALTER POLICY ${ident(policy.name)} ON ${qualified(table)} ${clauses.join(' ')}`],
        advice:
          'Then an unset or empty setting means no rows. One helper function for all policies keeps them alike.',
      };
    });
  },
  page: {
    what: "`USING (tenant_id = current_setting('app.tenant_id')::uuid)`.",
    effect:
      'In a session that never set it: `unrecognized configuration parameter "app.tenant_id"`. On a pooled connection where an earlier transaction used SET LOCAL it is the empty string: `invalid input syntax for type uuid: ""`.',
    mend: "`nullif(current_setting('app.tenant_id', true), '')::uuid`: unset and empty mean NULL, which matches no row.",
  },
};

interface Read {
  readonly setting: string;
  readonly missing: boolean;
  /** The type an empty string is cast to and cannot be. */
  readonly cast: string | undefined;
}

function readsOf(text: string): readonly Read[] {
  return [...text.matchAll(READ)].flatMap((match) => {
    const nulled = NULLED.test(text.slice(0, match.index));
    const rest = text.slice(match.index + match[0].length);
    const missing = match[2] !== ', true';
    const cast = !nulled && CAST.test(rest) ? /^\)*::([a-z0-9 ]+)/.exec(rest)?.[1] : undefined;
    return missing || cast !== undefined ? [{ setting: match[1] ?? '', missing, cast }] : [];
  });
}

function mended(text: string): string {
  const out: string[] = [];
  let at = 0;
  for (const match of text.matchAll(READ)) {
    const before = text.slice(at, match.index);
    const quiet = `pg_catalog.current_setting(${literal((match[1] ?? '').replaceAll("''", "'"))}, true)`;
    out.push(before, NULLED.test(before) ? quiet : `nullif(${quiet}, '')`);
    at = match.index + match[0].length;
  }
  return [...out, text.slice(at)].join('');
}
