// HT203 and HT211: what plain views show past row security, and whose personal data.
import { qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { routines } from '../facts/functions.ts';
import { grants } from '../facts/grants.ts';
import { relationSubject } from '../facts/naming.ts';
import { ownership } from '../facts/owned.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { rights, roles } from '../facts/rights.ts';
import { sources, type Source } from '../facts/sources.ts';
import { views } from '../facts/views.ts';

export const viewBypassesRowSecurity: TrapCheck = {
  code: 'HT203',
  name: 'view-bypasses-row-security',
  title: "A view reads with its owner's rights, past row security",
  severity: 'error',
  traps: ['BX-07'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const behind = await context.facts(sources);
    const { holders } = await context.facts(rights);
    const { revoke } = await context.facts(grants);
    const passes = await passing(context);
    const guarded = await filtering(context);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const by = view.kind === 'v' ? holders(view.oid, 'select', 'insert', 'update', 'delete') : [];
      if (by.length === 0) return [];
      const open = behind(view).find(passes);
      if (open === undefined) return [];
      if (guarded(view)) return isBarrier(view) ? [] : leaky(view, by);
      const stored = open.relation.kind === 'm';
      return {
        subject: relationSubject(view),
        what: `It reads ${relationSubject(open.relation)} with the rights of ${open.as}${stored ? '' : ', to whom no policy applies'}; ${by.join(', ')} may use it.`,
        effect: `SELECT FROM ${qualified(view)} as ${by[0]} gives every owner's rows.`,
        mend: stored
          ? revoke(view, { rights: ['select', 'insert', 'update', 'delete'], roles: by })
          : [`ALTER VIEW ${qualified(view)} SET (security_invoker = true)`],
        advice: stored
          ? 'Let the view filter on the setting, and give it security_barrier.'
          : `Then ${by.join(', ')} needs the rights on the tables themselves, and their policies apply. Or let the view filter on the setting.`,
      };
    });
  },
  page: {
    what: 'A plain view over tables under row security, granted to an application role.',
    effect:
      "A view is read with its owner's rights and policies. The owner of the tables (without FORCE), a superuser or a BYPASSRLS role sees all rows, and so does everybody who may read the view: 2 projects where a `security_invoker` view shows 0.",
    mend: '`ALTER VIEW v SET (security_invoker = true)` (PostgreSQL 15 and later), or a filter on the setting inside the view with `security_barrier`.',
  },
};

function isBarrier(view: Relation): boolean {
  return view.options.some((option) => /^security_barrier=(true|on|1|yes)$/i.test(option));
}

function leaky(view: Relation, by: readonly string[]): Draft {
  return {
    subject: relationSubject(view),
    what: `It reads past row security and filters on the setting itself, without security_barrier; ${by.join(', ')} may use it.`,
    effect: `A function in the WHERE of ${by[0]} may be asked before the filter is, and sees the rows of every owner: anybody may make one in pg_temp.`,
    mend: [`ALTER VIEW ${qualified(view)} SET (security_barrier = true)`],
    advice: 'Only leakproof functions and operators are then asked before the filter.',
  };
}

/** Whether a source shows rows of all owners to whoever reads through it. */
async function passing({ facts }: TrapContext): Promise<(source: Source) => boolean> {
  const known = await facts(roles);
  const behind = await facts(sources);
  const { of } = await facts(ownership);
  return ({ relation, as }) => {
    if (as === undefined) return false;
    if (relation.kind === 'm') {
      return behind(relation).some(({ relation: from }) => from.rowSecurity || of(from) !== undefined);
    }
    if (!relation.rowSecurity) return false;
    const role = known.get(as);
    if (role === undefined || role.super || role.bypass) return true;
    return !relation.forced && role.reaches.includes(relation.owner);
  };
}

/** Whether a view compares with a session's setting itself, or through a function or a view that does. */
async function filtering({ facts, boundaries }: TrapContext): Promise<(view: Relation) => boolean> {
  const known = await facts(views);
  const { byOid } = await facts(routines);
  const named = boundaries.flatMap(({ setting, carries = [] }) => [
    setting,
    ...carries.map((one) => one.setting),
  ]);
  const reads = (text: string): boolean =>
    /current_setting\(/i.test(text) &&
    (named.length === 0 || named.some((setting) => text.includes(setting)));
  return (view) => {
    const found = known.get(view.oid);
    return (
      found !== undefined &&
      (reads(found.definition) || found.calls.some((oid) => reads(byOid(oid)?.body ?? '')))
    );
  };
}

const PERSONAL =
  /^(e_?mail|email_address|phone|phone_number|mobile|cpf|ssn|tax_id|birth_?date|date_of_birth|full_name|address|ip_address|iban)$/i;

export const personalDataInView: TrapCheck = {
  code: 'HT211',
  name: 'personal-data-in-view',
  title: 'A view for an application role shows personal data of everybody',
  severity: 'warning',
  traps: ['B3-26'],
  find: async (context) => {
    const { all } = await context.facts(relations);
    const { holders } = await context.facts(rights);
    const { revoke } = await context.facts(grants);
    const behind = await context.facts(sources);
    const guarded = await filtering(context);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const by = view.kind === 'm' || view.kind === 'v' ? holders(view.oid, 'select') : [];
      const personal = view.columns.map(({ name }) => name).filter((name) => PERSONAL.test(name));
      if (by.length === 0 || personal.length === 0 || guarded(view)) return [];
      // What the roles may read in the tables as well, or reads under policies, is shown by the tables.
      const hidden = behind(view).some(
        ({ relation, as }) => as !== undefined && holders(relation.oid, 'select').length === 0,
      );
      if (!hidden) return [];
      return {
        subject: relationSubject(view),
        what: `It shows ${personal.join(', ')}, and ${by.join(', ')} may read it but not the table behind.`,
        effect: `${by[0]} reads the personal data of everybody in it; nothing filters the rows.`,
        mend: revoke(view, { rights: ['select'], roles: by }),
        advice:
          'Leave the columns out, or put a view on top that filters on the setting. A materialised copy must be erased together with its source.',
      };
    });
  },
  page: {
    what: 'A view or materialised view that the application may read has columns such as `email`, taken from a table it may not read.',
    effect:
      'What the table hides the view shows: the addresses of all users, in a materialised view until the next refresh even after they were erased.',
    mend: 'Leave the columns out (the key is enough to join), or revoke the view and grant one that filters on the setting.',
  },
};
