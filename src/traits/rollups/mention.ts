// Which relations a piece of SQL text speaks of.
import type { RelationName } from '../../define/model.ts';

/** Whether a name stands in the text as a word; a name that only looks like a table grants a right nobody can use. */
export function mentions(text: string, of: RelationName): boolean {
  const escaped = of.name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(String.raw`(^|[^\p{L}\p{N}_$])${escaped}($|[^\p{L}\p{N}_$])`, 'iu').test(text);
}
