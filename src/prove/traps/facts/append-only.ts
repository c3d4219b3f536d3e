// Tables whose rows stay as they are: because a trigger refuses changes, or because their name says so.
import type { Fact } from '../check.ts';
import { routines, type Routine } from './functions.ts';
import { relations, type Relation } from './relations.ts';
import { triggers, type Trigger } from './triggers.ts';

/** A table that only grows. */
export interface AppendOnly {
  readonly table: Relation;
  /** The trigger that refuses; absent where only the name says what is meant. */
  readonly by?: { readonly trigger: Trigger; readonly function: Routine };
  /** What it refuses of `update` and `delete`. */
  readonly refuses: ReadonlySet<string>;
}

const REFUSING =
  /(immutab|append_?only|read_?only|no_?(update|delete|change)|prevent|forbid|refuse|block|deny)/i;
const RAISES = /\braise\s+(exception|sqlstate|using|''|[a-z_]+\s*;)/i;
const RAISES_FIRST = /\bbegin\s+raise\s+(exception|sqlstate|using|''|[a-z_]+\s*;)/i;
const AUDIT = /(^|_)audits?(_|$)/i;

/** Tables that refuse UPDATE and DELETE, partitioned tables by their root, and audit trails without such a trigger. */
export const appendOnly: Fact<readonly AppendOnly[]> = {
  name: 'append-only tables',
  read: async ({ facts }) => {
    const { tables } = await facts(relations);
    const { of } = await facts(triggers);
    const { byOid } = await facts(routines);
    return tables.flatMap((table): readonly AppendOnly[] => {
      if (table.parent !== null) return [];
      const refusing = of(table.oid).flatMap((trigger) => {
        const called = byOid(trigger.function);
        return called !== undefined && refuses(trigger, called) ? [{ trigger, function: called }] : [];
      });
      const refused = new Set(refusing.flatMap(({ trigger }) => trigger.events));
      const [by] = refusing;
      if (by !== undefined && refused.has('delete') && refused.has('update'))
        return [{ table, by, refuses: refused }];
      return AUDIT.test(table.name) ? [{ table, refuses: refused }] : [];
    });
  },
};

function refuses(trigger: Trigger, { code, name, language }: Routine): boolean {
  if (
    language !== 'plpgsql' ||
    trigger.enabled === 'D' ||
    trigger.conditional ||
    trigger.events.includes('insert')
  )
    return false;
  if (RAISES_FIRST.test(code)) return true;
  return RAISES.test(code) && (REFUSING.test(name) || REFUSING.test(trigger.name));
}
