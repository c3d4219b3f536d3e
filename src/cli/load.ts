// Loads a definition written in TypeScript with no build step of the user's.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import type { Definition } from '../define/database.ts';
import { HoldfastError } from '../error.ts';
import { checkSchedules } from '../keep/index.ts';

const DEFAULT_FILES = ['holdfast.ts', 'holdfast.mts', 'holdfast.js', 'holdfast.mjs', 'database.ts'];

/** A definition and the folder its relative paths start from. */
export interface Loaded {
  readonly definition: Definition;
  readonly file: string;
  readonly baseDir: string;
}

/**
 * Imports the file that holds a definition as its default export (or as an export called `database`).
 * @param path the file; absent: the first of holdfast.ts, holdfast.mts, holdfast.js, holdfast.mjs, database.ts in `cwd`
 * @throws HoldfastError HF_NO_DEFINITION when no such file exists or it exports no definition; HF_DEFINITION_LOAD when
 *   the file itself fails to load, with the underlying message; HF_DEFINITION when a job's schedule cannot be read. A HoldfastError thrown by the definition passes through.
 */
export async function loadDefinition(path: string | undefined, cwd: string): Promise<Loaded> {
  const file = findFile(path, cwd);
  const jiti = createJiti(pathToFileURL(file).href, { interopDefault: true, fsCache: false });
  let loaded: unknown;
  try {
    loaded = await jiti.import(file);
  } catch (error) {
    if (error instanceof Error && error.name === 'HoldfastError') throw error;
    throw new HoldfastError({
      code: 'HF_DEFINITION_LOAD',
      subject: file,
      what: `it could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
      fix: 'Mend the file; the message is the loader’s own.',
      cause: error,
    });
  }
  const definition = pick(loaded);
  if (definition === undefined) {
    throw new HoldfastError({
      code: 'HF_NO_DEFINITION',
      subject: file,
      what: 'it exports no definition.',
      fix: 'Make `database(…)` its default export.',
    });
  }
  checkSchedules(definition);
  return { definition, file, baseDir: dirname(file) };
}

/** Whether a folder has a definition under one of the names that are looked for. */
export function hasDefinition(cwd: string): boolean {
  return DEFAULT_FILES.some((name) => existsSync(resolve(cwd, name)));
}

function findFile(path: string | undefined, cwd: string): string {
  const candidates = (path === undefined ? DEFAULT_FILES : [path]).map((name) => resolve(cwd, name));
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file !== undefined) return file;
  throw new HoldfastError({
    code: 'HF_NO_DEFINITION',
    subject: path ?? cwd,
    what: path === undefined ? `none of ${DEFAULT_FILES.join(', ')} is here.` : 'there is no such file.',
    fix: 'Name the file that exports your `database(…)`: `holdfast plan path/to/database.ts`.',
  });
}

function pick(loaded: unknown): Definition | undefined {
  if (typeof loaded !== 'object' || loaded === null) return undefined;
  const exports = loaded as Record<string, unknown>;
  return [loaded, exports['default'], exports['database']].find(isDefinition);
}

function isDefinition(value: unknown): value is Definition {
  return (
    typeof value === 'object' && value !== null && 'model' in value && 'traits' in value && 'plain' in value
  );
}
