// Category trees as shops publish them (Best Buy's open data set, for one): a JSON list of categories, each with
// the path that leads to it.

import { HoldfastError } from 'holdfast';

/** The sign between the parts of a path, as {@link categoryPaths} writes it. */
export const PATH_SEPARATOR = ' > ';

/**
 * The paths of a category list, in its order, each once: `Gift Ideas > Him`. Parts without a name are left out.
 * @param json parsed JSON: a list of objects with `path: [{ name }]`.
 * @throws HoldfastError HF_CATEGORY_LIST when it is no such list.
 */
export function categoryPaths(json: unknown): string[] {
  if (!Array.isArray(json) || json.length === 0) throw notCategories('It is no list.');
  const paths = json.map((category: unknown, i) => {
    const path: unknown =
      typeof category === 'object' && category !== null && 'path' in category ? category.path : null;
    if (!Array.isArray(path)) throw notCategories(`Entry ${i + 1} has no path.`);
    return path.map(nameOf).filter(Boolean).join(PATH_SEPARATOR);
  });
  return [...new Set(paths.filter(Boolean))];
}

function nameOf(part: unknown): string {
  const name: unknown = typeof part === 'object' && part !== null && 'name' in part ? part.name : null;
  return typeof name === 'string' ? name.trim() : '';
}

function notCategories(what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_CATEGORY_LIST',
    subject: 'category list',
    what,
    fix: 'Give a JSON list of categories, each with path: [{ name }].',
  });
}
