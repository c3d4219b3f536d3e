// What a new version of a rule set means for those who use it, and whether its number says so.

import type { CompiledRule, Rule } from './rule.ts';

/** How much a version raises its number at least. */
export type CompatibilityLevel = 'major' | 'minor' | 'patch';

/** One reason why a version is not a patch. */
export interface RuleChange {
  readonly ruleId: string;
  readonly change: 'removed' | 'type_changed' | 'added';
}

/** The class of a change and its reasons. */
export interface Compatibility {
  readonly level: CompatibilityLevel;
  /** The changes that make it major, in the order of their ids. */
  readonly breaking: readonly RuleChange[];
  /** The rules that were added, in the order of their ids. */
  readonly added: readonly RuleChange[];
}

type Named = Pick<Rule | CompiledRule, 'id' | 'type'>;

/**
 * Compares two versions by rule id: a rule removed or of another type is major, a rule added is minor, anything
 * else is a patch. `previous` is null for the first version, which is major.
 */
export function compatibility(previous: readonly Named[] | null, next: readonly Named[]): Compatibility {
  const before = new Map((previous ?? []).map((rule) => [rule.id, rule.type]));
  const after = new Map(next.map((rule) => [rule.id, rule.type]));
  const breaking: RuleChange[] = [];
  for (const [ruleId, type] of before) {
    if (!after.has(ruleId)) breaking.push({ ruleId, change: 'removed' });
    else if (after.get(ruleId) !== type) breaking.push({ ruleId, change: 'type_changed' });
  }
  const added: RuleChange[] = [...after.keys()]
    .filter((ruleId) => !before.has(ruleId))
    .map((ruleId) => ({ ruleId, change: 'added' }));
  const major = previous === null || breaking.length > 0;
  return {
    level: major ? 'major' : added.length > 0 ? 'minor' : 'patch',
    breaking: breaking.sort(byId),
    added: added.sort(byId),
  };
}

function byId(a: RuleChange, b: RuleChange): number {
  return a.ruleId < b.ruleId ? -1 : 1;
}
