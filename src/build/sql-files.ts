// Plain SQL files as a front end beside Drizzle: found by globs, cut into single statements, each with its place.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { glob } from 'tinyglobby';
import type { Statement } from '../define/model.ts';
import { HoldfastError } from '../error.ts';
import { phaseOf, refuseForeign, subjectOf } from './lower/belongs.ts';
import { splitSql } from './lower/split.ts';

/**
 * Reads SQL files into statements.
 * @param globs patterns relative to `baseDir`; files are taken once each, in the order of their paths
 * @param baseDir folder the patterns start in
 * @returns the statements, each with `file:line` as its origin and a first guess of its phase
 * @throws HoldfastError HF_SQL_NONE where a pattern finds no file, HF_SQL_ENCODING for a file that is not UTF-8, and
 *   what {@link splitSql} and {@link refuseForeign} throw
 */
export async function readSqlFiles(globs: readonly string[], baseDir: string): Promise<Statement[]> {
  const found = new Set<string>();
  for (const pattern of globs) {
    const files = await glob(pattern, { cwd: baseDir, onlyFiles: true, dot: false });
    if (files.length === 0) throw nothing(pattern, baseDir);
    for (const file of files) found.add(file);
  }
  // By code unit, so that the order does not depend on the machine's locale.
  const files = [...found].sort((one, other) => (one < other ? -1 : 1));
  const read = await Promise.all(files.map((file) => readSqlFile(file, join(baseDir, file))));
  return read.flat();
}

async function readSqlFile(file: string, path: string): Promise<Statement[]> {
  return splitSql(decode(await readFile(path), file), file).map((statement) => {
    const origin = `${file}:${statement.line}`;
    refuseForeign(statement, origin);
    return { sql: statement.sql, subject: subjectOf(statement), origin, phase: phaseOf(statement) };
  });
}

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new HoldfastError({
      code: 'HF_SQL_ENCODING',
      subject: file,
      what: 'the file is not UTF-8.',
      fix: 'Save it as UTF-8.',
      cause,
    });
  }
}

function nothing(pattern: string, baseDir: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_SQL_NONE',
    subject: `sql ${pattern}`,
    what: `no file fits it in ${baseDir}.`,
    fix: 'Mend the pattern, or set baseUrl to import.meta.url of the file it is relative to.',
  });
}
