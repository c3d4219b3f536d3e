// HT114 and HT115: tables that only grow, and what goes round their triggers or runs into them.
import { ident, literal, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { appendOnly } from '../facts/append-only.ts';
import { constraints, type Constraint } from '../facts/constraints.ts';
import { type Routine, routines } from '../facts/functions.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { rights } from '../facts/rights.ts';
import { triggers } from '../facts/triggers.ts';

export const appendOnlyTruncatable: TrapCheck = {
  code: 'HT114',
  name: 'append-only-truncatable',
  title: 'A table that refuses UPDATE and DELETE can be emptied by TRUNCATE',
  severity: 'warning',
  traps: ['BX-12', 'B0-15', 'B1-06'],
  find: async ({ facts }) => {
    const { root, tables } = await facts(relations);
    const kept = new Map((await facts(appendOnly)).map((one) => [one.table.oid, one]));
    const { of } = await facts(triggers);
    const { holders } = await facts(rights);
    const { all } = await facts(routines);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      const by = kept.get(root(table).oid)?.by;
      if (by === undefined || guardsTruncate(of(table.oid))) return [];
      const who = holders(table.oid, 'truncate');
      return {
        subject: relationSubject(table),
        what: `Trigger ${by.trigger.name} refuses to change its rows, and nothing refuses TRUNCATE${table === root(table) ? '' : ' of this partition'}.`,
        effect: `TRUNCATE ${qualified(table)} removes every row without a word: row triggers do not fire, nor do statement triggers of the table above.`,
        mend: refuseTruncate(table, all),
        advice: `${who.length === 0 ? 'The owner can still do it' : `${who.join(', ')} holds TRUNCATE: revoke it`}; the owner can also disable triggers, detach partitions and drop the table. What must be proved to outsiders needs signed checkpoints kept elsewhere.`,
        ...(who.length === 0 ? {} : { severity: 'error' as const }),
      };
    });
  },
  page: {
    what: 'A BEFORE UPDATE OR DELETE row trigger keeps a table append-only.',
    effect:
      'TRUNCATE fires no row trigger: the log is empty, without an error. A TRUNCATE trigger on a partitioned table does not fire for `TRUNCATE audit_log_2026_11` either. Row triggers are copied to partitions, statement triggers are not.',
    mend: 'A BEFORE TRUNCATE statement trigger that raises, on the table and on each partition; no TRUNCATE right for the application. The owner can still disable triggers: own such tables by a role that never logs in.',
  },
};

function guardsTruncate(of: readonly { events: readonly string[]; enabled: string }[]): boolean {
  return of.some(({ events, enabled }) => events.includes('truncate') && enabled !== 'D');
}

const REFUSAL =
  "BEGIN RAISE EXCEPTION '% is append-only: TRUNCATE is refused', TG_RELID::pg_catalog.regclass; END";

function refuseTruncate(table: Relation, all: readonly Routine[]): readonly string[] {
  // A function of that name that does something else stays as it is.
  const free = ['refuse_truncate', 'refuse_truncate_of_rows', 'refuse_truncate_of_kept_rows'].find((name) =>
    all.every((one) => one.name !== name || one.schema !== table.schema || one.source === REFUSAL),
  );
  if (free === undefined) return [];
  const refuse = `${ident(table.schema)}.${free}`;
  return [
    `CREATE OR REPLACE FUNCTION ${refuse}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS ${literal(REFUSAL)}`,
    `CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ${qualified(table)} FOR EACH STATEMENT EXECUTE FUNCTION ${refuse}()`,
  ];
}

const WORDS = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
  ' ': 'NO ACTION',
} as const;

export const appendOnlyForeignKey: TrapCheck = {
  code: 'HT115',
  name: 'append-only-foreign-key',
  title: 'A foreign key out of or into an append-only table keeps rows from ever being deleted',
  severity: 'warning',
  traps: ['BX-13', 'B4-24'],
  find: async ({ facts }) => {
    const { byOid, root } = await facts(relations);
    const keys = await facts(constraints);
    const kept = await facts(appendOnly);
    const all = new Map(kept.map((one) => [one.table.oid, one]));
    return kept.flatMap(({ table, by, refuses }) => {
      const out = keys.of(table.oid).flatMap((key): Draft | readonly Draft[] => {
        const parent = key.kind === 'f' && !key.inherited ? byOid(key.references ?? 0) : undefined;
        // Whatever the parent keeps for good as well has nothing to lose.
        if (parent === undefined || all.get(root(parent).oid)?.by !== undefined) return [];
        const acts =
          key.onDelete === 'c'
            ? 'delete'
            : key.onDelete === 'n' || key.onDelete === 'd'
              ? 'update'
              : undefined;
        if (acts !== undefined && !refuses.has(acts)) return [];
        return outDraft(key, { table, parent, refusing: acts === undefined ? undefined : by?.trigger.name });
      });
      const into =
        by === undefined ? [] : keys.pointingAt(table.oid).flatMap((key) => intoDraft(key, { table, byOid }));
      return [...out, ...into];
    });
  },
  page: {
    what: 'An audit trail or another append-only table has a foreign key to users or organizations; or another table has one to it.',
    effect:
      'With ON DELETE SET NULL or CASCADE the action runs into the trigger: deleting a user fails with the trigger\'s own error. With NO ACTION it fails with `violates foreign key constraint "audit_logs_organization_id_fkey"`. Nobody with history can be deleted, and an erasure demanded by law is impossible. A key into the table keeps its old partitions from being detached or dropped while rows point there.',
    mend: 'No foreign key on the log. Keep a pseudonym whose identity stands in a table that can be erased.',
  },
};

interface Out {
  readonly table: Relation;
  readonly parent: Relation;
  readonly refusing: string | undefined;
}

function outDraft(key: Constraint, { table, parent, refusing }: Out): Draft {
  return {
    subject: partSubject('foreign key', key.name, table),
    what: `${relationSubject(table)} ${refusing === undefined ? 'is kept for good' : `refuses changes (trigger ${refusing})`} and points at ${parent.schema}.${parent.name} ON DELETE ${WORDS[key.onDelete]}.`,
    effect:
      refusing === undefined
        ? `No row of ${parent.schema}.${parent.name} with history can be deleted: update or delete on table "${parent.name}" violates foreign key constraint "${key.name}" on table "${table.name}".`
        : `DELETE FROM ${qualified(parent)} fails where a row points at it: ${WORDS[key.onDelete]} runs into trigger ${refusing}.`,
    mend: [`ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${ident(key.name)}`],
    advice:
      'Keep the value as a plain pseudonym. Where the parent is never deleted either, say so as accepted.',
    ...(refusing === undefined ? {} : { severity: 'error' as const }),
    // Old partitions leave whole, and the parent's rows can go after them.
    ...(refusing === undefined && table.kind === 'p' ? { severity: 'info' as const } : {}),
  };
}

function intoDraft(
  key: Constraint,
  { table, byOid }: { table: Relation; byOid: (oid: number) => Relation | undefined },
): readonly Draft[] {
  const child = byOid(key.relation);
  if (child === undefined || key.inherited || child === table || child.parent !== null) return [];
  if (table.kind !== 'p') return [];
  return [
    {
      subject: partSubject('foreign key', key.name, child),
      what: `It points at ${relationSubject(table)}, which only grows and loses whole partitions.`,
      effect: `A partition whose rows are pointed at cannot be detached or dropped: removing partition … violates foreign key constraint "${key.name}".`,
      mend: [`ALTER TABLE ${qualified(child)} DROP CONSTRAINT ${ident(key.name)}`],
      advice: 'Keep the value without the key, or let the rows that point leave first.',
    },
  ];
}
