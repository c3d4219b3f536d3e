// HT108 to HT112: what policies read in other tables.
import { qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { grants } from '../facts/grants.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { policies, type Policies, type Policy } from '../facts/policies.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';

export const policiesRecurse: TrapCheck = {
  code: 'HT108',
  name: 'policies-recurse',
  title: 'Policies read each other in a circle',
  severity: 'error',
  traps: ['BX-11'],
  find: async ({ facts }) => {
    const { tables, byOid } = await facts(relations);
    const written = await facts(policies);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      const circle = table.rowSecurity ? circleFrom(table, { byOid, written }) : undefined;
      if (circle === undefined) return [];
      const way = circle.map(({ schema, name }) => `${schema}.${name}`).join(' → ');
      return {
        subject: relationSubject(table),
        what: `Its policies read tables whose policies lead back: ${way}.`,
        effect: `Statements on it fail for everybody whom the policies are for: infinite recursion detected in policy for relation "${circle.at(-1)?.name}".`,
        mend: [],
        advice:
          'Look the membership up in one SECURITY DEFINER function with a fixed search_path, owned by a role the policies do not apply to, and let the policies call that.',
      };
    });
  },
  page: {
    what: "A policy's sub-select reads a table that is under row security itself, whose policies read the first table again; or a policy on a list of members reads the list.",
    effect:
      'PostgreSQL expands the policies of each table a policy reads. A circle fails every statement: `infinite recursion detected in policy for relation "projects"`.',
    mend: 'Put the look-up into one function: `CREATE FUNCTION visible_projects() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, app …`, owned by a NOLOGIN role with BYPASSRLS (or the owner, without FORCE), and write the policies as `USING (id IN (SELECT visible_projects()))`.',
  },
};

interface Reading {
  readonly byOid: (oid: number) => Relation | undefined;
  readonly written: Policies;
}

// As the rewriter goes: a table is entered again while its policies are being expanded, and has sub-selects to expand.
// A table read in a sub-select brings its SELECT policies only.
function circleFrom(start: Relation, { byOid, written }: Reading): readonly Relation[] | undefined {
  const select = (relation: Relation): readonly Policy[] =>
    written.of(relation.oid).filter(({ command }) => command === '*' || command === 'r');
  const follow = (path: readonly Relation[], using: readonly Policy[]): readonly Relation[] | undefined => {
    for (const oid of using.flatMap(({ reads }) => reads)) {
      const next = byOid(oid);
      if (next === undefined || !next.rowSecurity || select(next).every(({ reads }) => reads.length === 0))
        continue;
      if (path.includes(next)) return next === start ? [...path, next] : undefined;
      const found = follow([...path, next], select(next));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return follow([start], written.of(start.oid));
}

export const childHiddenFromParentsReaders: TrapCheck = {
  code: 'HT109',
  name: 'child-hidden-from-parents-readers',
  title: "Who sees the parent's rows does not see the rows below them",
  severity: 'warning',
  traps: ['B4-13'],
  find: async ({ facts }) => {
    const { tables, byOid } = await facts(relations);
    const written = await facts(policies);
    const keys = await facts(constraints);
    return tables.flatMap((table) => {
      if (!table.rowSecurity || table.parent !== null) return [];
      const parents = new Set(keys.of(table.oid).flatMap(({ references }) => references ?? []));
      const mine = listsOf(table, written);
      return [...parents].flatMap((oid): Draft | readonly Draft[] => {
        const parent = byOid(oid);
        if (parent === undefined || parent === table || !parent.rowSecurity) return [];
        const theirs = listsOf(parent, written);
        const lacking = [...theirs].filter((list) => !mine.has(list) && list !== table.oid);
        const alike = [...theirs].some((list) => mine.has(list));
        if (lacking.length === 0 || !alike) return [];
        const names = lacking.map((list) => byOid(list)?.name ?? '').join(', ');
        return {
          subject: relationSubject(table),
          what: `The policies of ${parent.schema}.${parent.name} let in by ${names} too; those of this table below it do not.`,
          effect: `Whoever sees a row of ${parent.name} by ${names} sees none of its rows here, without an error.`,
          mend: [],
          advice: `Let both policies ask one function who may see a row of ${parent.name}, or write this one as ${table.name}'s key IN (SELECT … FROM ${parent.name}).`,
        };
      });
    });
  },
  page: {
    what: "Two tables, one below the other, each with a policy of its own that looks a membership up. The parent's has one more way in (an administrator of the organization); the child's was written without it.",
    effect:
      'The administrator sees the project and no task in it. Nothing fails: lists are empty, counts are 0.',
    mend: "One function that says which parents a session may see, called by both policies; or a child's policy that only asks the parent: `project_id IN (SELECT id FROM projects)`.",
  },
};

function listsOf(table: Relation, written: Policies): ReadonlySet<number> {
  return new Set(
    written
      .of(table.oid)
      .filter(({ command, permissive }) => permissive && (command === '*' || command === 'r'))
      .flatMap(({ reads }) => reads),
  );
}

export const policyRefusesCreation: TrapCheck = {
  code: 'HT110',
  name: 'policy-refuses-creation',
  title: 'A policy asks for a row that cannot be there before the new one',
  severity: 'error',
  traps: ['B4-14'],
  find: async ({ facts }) => {
    const { tables, byOid } = await facts(relations);
    const written = await facts(policies);
    const keys = await facts(constraints);
    const { holders } = await facts(rights);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      const by = holders(table.oid, 'insert');
      if (!table.rowSecurity || by.length === 0) return [];
      const below = new Set(keys.pointingAt(table.oid).map(({ relation }) => relation));
      const ways = written
        .of(table.oid)
        .filter(({ command, permissive }) => permissive && (command === '*' || command === 'a'));
      const blocked = ways.filter(({ reads }) => reads.some((oid) => oid !== table.oid && below.has(oid)));
      const [policy] = blocked;
      if (policy === undefined || blocked.length < ways.length) return [];
      const lists = policy.reads.filter((oid) => below.has(oid)).map((oid) => byOid(oid)?.name ?? '');
      const others = policy.reads.filter((oid) => !below.has(oid)).map((oid) => byOid(oid)?.name ?? '');
      return {
        subject: partSubject('policy', policy.name, table),
        what: `For INSERT it looks for a row of ${lists.join(', ')} that points at the new row${policy.check === null ? '; without WITH CHECK, USING is asked' : ''}.`,
        effect: `That row cannot be there yet: ${others.length === 0 ? 'every INSERT' : `an INSERT by anybody but those let in by ${others.join(', ')}`} fails: new row violates row-level security policy for table "${table.name}".`,
        mend: [],
        advice: `Write one policy FOR INSERT WITH CHECK that asks for what is there before (a membership of the parent), and policies for the other commands as they are.`,
        ...(others.length === 0 ? {} : { severity: 'warning' as const }),
      };
    });
  },
  page: {
    what: 'One policy for all commands: `FOR ALL USING (EXISTS (SELECT FROM project_members m WHERE m.project_id = projects.id …))`. Without WITH CHECK the USING expression is asked of new rows too.',
    effect:
      'A new project has no members yet, and members point at projects: nobody can create one. `new row violates row-level security policy for table "projects"`.',
    mend: 'Separate the commands: `FOR INSERT WITH CHECK (organization_id IN (SELECT …))`, and `FOR SELECT`, `FOR UPDATE`, `FOR DELETE` by membership.',
  },
};

const ROLE_COLUMN =
  /^(role|roles|permission|permissions|access|access_level|level|is_admin|is_owner|scope|scopes)$/;

export const policyIgnoresRoles: TrapCheck = {
  code: 'HT111',
  name: 'policy-ignores-roles',
  title: 'Any member may write: the policy never looks at the role of a member',
  severity: 'warning',
  traps: ['B4-15'],
  find: async ({ facts }) => {
    const { tables, byOid } = await facts(relations);
    const written = await facts(policies);
    const { holders } = await facts(rights);
    const keys = await facts(constraints);
    return tables.flatMap((table) => {
      if (!table.rowSecurity || holders(table.oid, 'update', 'delete').length === 0) return [];
      const writing = written.of(table.oid).filter(({ command }) => ['*', 'w', 'd'].includes(command));
      return writing.flatMap((policy): Draft | readonly Draft[] => {
        const ignored = policy.reads.flatMap((oid) => {
          const list = byOid(oid);
          const column = list?.columns.find(({ name }) => ROLE_COLUMN.test(name));
          if (list === undefined || list === table || column === undefined) return [];
          // A row points at what it is a part of; a list of members points at what it lets in to.
          if (keys.of(table.oid).some(({ references }) => references === oid)) return [];
          return policy.columns.includes(`${oid}.${column.number}`) ? [] : [`${list.name}.${column.name}`];
        });
        if (ignored.length === 0) return [];
        return {
          subject: partSubject('policy', policy.name, table),
          what: `It lets members write and never reads ${ignored.join(', ')}.`,
          effect: `A member of any role, a viewer too, updates and deletes rows of ${table.schema}.${table.name}.`,
          mend: [],
          advice: `Write policies per command: FOR SELECT by membership, FOR UPDATE and FOR DELETE by membership with ${ignored.join(', ')} of those that may.`,
        };
      });
    });
  },
  page: {
    what: 'A list of members has a column that says what each may do (`role`, `permissions`), and a policy for all commands, or for UPDATE or DELETE, looks the membership up without reading it.',
    effect: 'Roles mean nothing to the database: a viewer renames and deletes.',
    mend: "A policy per command, those that write with the roles that may: `AND m.role IN ('owner', 'editor')`.",
  },
};

export const membershipOpen: TrapCheck = {
  code: 'HT112',
  name: 'membership-open',
  title: 'The list that policies trust can be written by those it keeps out',
  severity: 'error',
  traps: ['B4-16', 'BX-11'],
  find: async ({ facts }) => {
    const { byOid, tables } = await facts(relations);
    const written = await facts(policies);
    const { holders } = await facts(rights);
    const { revoke } = await facts(grants);
    const guarded = new Set(tables.filter(({ rowSecurity }) => rowSecurity).map(({ oid }) => oid));
    const trusted = new Map<number, Policy>();
    for (const policy of written.all) {
      for (const oid of policy.reads)
        if (guarded.has(policy.relation) && !trusted.has(oid)) trusted.set(oid, policy);
    }
    return [...trusted].flatMap(([oid, policy]): Draft | readonly Draft[] => {
      const list = byOid(oid);
      const by = holders(oid, 'insert', 'update');
      if (list === undefined || list.rowSecurity || by.length === 0) return [];
      const on = byOid(policy.relation);
      return {
        subject: relationSubject(list),
        what: `Policy ${policy.name} on ${on?.schema}.${on?.name} trusts its rows, it is not under row security, and ${by.join(', ')} may write it.`,
        effect: `INSERT INTO ${qualified(list)} as ${by[0]} makes anybody a member of anything: the rows that ${policy.name} guards are open to all. A policy here that reads ${on?.name} or ${list.name} itself fails: infinite recursion detected in policy for relation "${on?.name}".`,
        mend: revoke(list, { rights: ['insert', 'update', 'delete'], roles: by }),
        advice: `Members are then added by a SECURITY DEFINER function with a fixed search_path that asks who may, which policies can call too without recursion. Reading stays open: put the list under row security by its own columns (user_id = the setting) where that matters.`,
      };
    });
  },
  page: {
    what: 'Policies look memberships up in a table that is not under row security, and the application role may write that table.',
    effect:
      'Any user inserts himself as owner of any organization: 0 projects before, all of them after. The natural remedy, a policy on the list that reads the guarded table, fails with `infinite recursion detected in policy for relation "projects"`.',
    mend: 'Revoke INSERT, UPDATE and DELETE on the list; add members through a SECURITY DEFINER function that asks who may (fixed search_path, owner without login). A policy on the list may compare its own columns with the setting, and call such a function.',
  },
};
