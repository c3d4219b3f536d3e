// Holds the import direction between folders; the table is the one of the design.
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { globSync } from 'tinyglobby';
import { describe, expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

/** Folder → folders it may import values from. Root files (`error.ts`, `sql.ts`) import nothing and serve everyone. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  define: [],
  server: [],
  ledger: ['server'],
  traits: ['define'],
  build: ['define', 'server', 'ledger'],
  keep: ['define', 'server', 'ledger'],
  watch: ['define', 'server', 'ledger'],
  // What is measured is measured as an application reaches it.
  prove: ['define', 'server', 'ledger', 'build', 'keep', 'use'],
  use: ['define', 'server'],
  cli: ['define', 'server', 'ledger', 'traits', 'build', 'keep', 'watch', 'prove', 'use'],
};
/** Type-only imports reach a little further: a trait may speak of what the engines hand it. */
const MAY_TYPES: Readonly<Record<string, readonly string[]>> = {
  ...MAY,
  traits: ['define', 'build', 'server', 'ledger', 'keep', 'watch', 'use'],
};
const ROOT_FILES = ['error.ts', 'sql.ts'];

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found: Import[] = [];
  const pattern =
    /\b(import|export)\s+(type\s+)?[^;'"]*?from\s+['"](\.[^'"]+)['"]|import\(\s*['"](\.[^'"]+)['"]\s*\)/g;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[3] ?? match[4] ?? '';
    const target = relative(SRC, resolve(SRC, dirname(file), specifier));
    const folder = file.split(sep)[0] ?? '';
    found.push({ file, folder, target, typeOnly: match[2] !== undefined });
  }
  return found;
}

function offence(found: Import): string | undefined {
  const targetFolder = found.target.split(sep)[0] ?? '';
  if (found.folder === targetFolder || !found.file.includes(sep)) return undefined;
  if (ROOT_FILES.includes(found.target)) return undefined;
  const allowed = (found.typeOnly ? MAY_TYPES : MAY)[found.folder] ?? [];
  return allowed.includes(targetFolder)
    ? undefined
    : `${found.file} may not import ${found.target}${found.typeOnly ? ' (type)' : ''}`;
}

describe('import direction', () => {
  const files = globSync('**/*.ts', { cwd: SRC });

  test('every folder imports only what the design lets it', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.flatMap(importsOf).flatMap((found) => offence(found) ?? [])).toEqual([]);
  });

  test('every folder of src has a row in the table', () => {
    const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));
    expect([...folders].filter((folder) => !(String(folder) in MAY))).toEqual([]);
  });

  test('the planner is imported in one folder only', () => {
    const users = files.filter((file) =>
      readFileSync(join(SRC, file), 'utf8').includes('@supabase/pg-delta'),
    );
    expect(users.filter((file) => !file.startsWith('build/engine/'))).toEqual([]);
  });

  test('only the command line ends the process', () => {
    const users = files.filter((file) => /process\.exit\b/.test(readFileSync(join(SRC, file), 'utf8')));
    expect(users.filter((file) => file !== 'cli/main.ts')).toEqual([]);
  });

  test('a forbidden import is caught', () => {
    const wrong = { file: 'define/x.ts', folder: 'define', target: 'server/index.ts', typeOnly: false };
    expect(offence(wrong)).toBe('define/x.ts may not import server/index.ts');
    expect(
      offence({ ...wrong, file: 'build/x.ts', folder: 'build', target: 'traits/a/index.ts' }),
    ).toBeDefined();
    expect(offence({ ...wrong, file: 'build/x.ts', folder: 'build' })).toBeUndefined();
  });
});
