// Which tables stand behind a view, however many views lie between, and with whose rights they are read.
import type { Fact } from '../check.ts';
import { relations, type Relation } from './relations.ts';
import { views } from './views.ts';

/** A relation that is read in the end. */
export interface Source {
  readonly relation: Relation;
  /** The role whose rights and policies apply; undefined: whoever reads the view. */
  readonly as: string | undefined;
}

/** The tables, foreign tables and materialised views behind a view or a materialised view. */
export type Sources = (view: Relation) => readonly Source[];

/**
 * A materialised view is read as its owner when it is refreshed; a plain view as its owner; an invoker's view as whoever
 * began, also where another view asks it.
 */
export const sources: Fact<Sources> = {
  name: 'sources of views',
  read: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const known = await facts(views);
    const follow = (
      view: Relation,
      began: string | undefined,
      seen: ReadonlySet<number>,
    ): readonly Source[] => {
      const as = view.kind === 'v' && isInvoker(view) ? began : view.owner;
      return (known.get(view.oid)?.reads ?? []).flatMap((oid) => {
        const relation = byOid(oid);
        if (relation === undefined || seen.has(oid)) return [];
        return relation.kind === 'v' ? follow(relation, began, new Set([...seen, oid])) : [{ relation, as }];
      });
    };
    return (view) => follow(view, view.kind === 'm' ? view.owner : undefined, new Set());
  },
};

/** Whether a view is read with the rights of whoever reads it. */
export function isInvoker(view: Relation): boolean {
  return view.options.some((option) => /^security_invoker=(true|on|1|yes)$/i.test(option));
}
