// Tables whose rows stay as they are: because a trigger refuses changes, or because their name says so.
import type { Fact } from '../check.ts';
import { routines, type Routine } from './functions.ts';
import { relations, type Relation } from './relations.ts';
import type { Around } from './statements.ts';
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
// Of the levels only EXCEPTION, which is meant where none is named, refuses.
const RAISES = /^raise\b(?!\s+(?:notice|warning|info|log|debug)\b)/i;
const OPERATION = /^\(?\s*tg_op\s*(?:=|\bin\b)\s*\(?((?:\s*,?\s*'[a-z]+')+)\s*\)*$/i;
// A record of what happened; audits as such may be somebody's work.
const AUDIT =
  /(?:^|_)audit_?(?:logs?|trails?|events?|entry|entries|records?|history|journal)(?:_archived?)?$|(?:^|_)audit$/i;

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
        const events = called === undefined ? [] : refusedBy(trigger, called);
        return called === undefined || events.length === 0 ? [] : [{ trigger, function: called, events }];
      });
      const refused = new Set(refusing.flatMap(({ events }) => events));
      const [by] = refusing;
      if (by !== undefined && refused.has('delete') && refused.has('update'))
        return [{ table, by: { trigger: by.trigger, function: by.function }, refuses: refused }];
      return AUDIT.test(table.name) ? [{ table, refuses: refused }] : [];
    });
  },
};

/** What a trigger refuses of what it fires for, whatever the row holds. */
function refusedBy(trigger: Trigger, of: Routine): readonly string[] {
  const { events, enabled, conditional } = trigger;
  if (of.language !== 'plpgsql' || enabled === 'D' || conditional || events.includes('insert')) return [];
  const run = of.statements.filter(({ kind }) => kind !== 'declaration');
  const meant = REFUSING.test(of.name) || REFUSING.test(trigger.name);
  const refused = run.flatMap((one, at) => {
    if (!RAISES.test(one.text)) return [];
    const conditions = one.within.slice(1);
    const operations = conditions.map(({ kind, when }) => (kind === 'if' ? operationsOf(when) : undefined));
    if (operations.every((some) => some !== undefined) && operations.length > 0)
      return events.filter((event) => operations.every((some) => some?.includes(event)));
    // What is asked before may let the row pass; a name says that no row is meant to.
    if (conditions.length === 0) return at === 0 || meant ? events : [];
    return meant && conditions.every(ofTheSession) ? events : [];
  });
  return [...new Set(refused)];
}

function operationsOf(condition: string): readonly string[] | undefined {
  const list = OPERATION.exec(condition.trim())?.[1];
  return list === undefined ? undefined : [...list.matchAll(/[a-z]+/gi)].map(([word]) => word.toLowerCase());
}

// Asked of the session and not of the row: who works, or a setting that lets maintenance pass.
function ofTheSession({ kind, when }: Around): boolean {
  return kind === 'block' || (kind === 'if' && when !== 'else' && !/\b(?:old|new|select)\b/i.test(when));
}
