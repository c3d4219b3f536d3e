// The second reader, where the machine has it: pg_dump's text of a structure, in blocks that can be compared whatever
// their order. What it prints is what a restore would make.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findPgDump } from '../server/index.ts';
import { ident } from '../sql.ts';
import type { Difference } from './compare.ts';

const MAX_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 120_000;
const run = promisify(execFile);

/** Statements by what they are about: `TABLE public orders` → its text. */
export type DumpText = ReadonlyMap<string, string>;

/** What of a database is printed. */
export interface DumpRequest {
  readonly url: string;
  /** Relations that are left out with everything on them. */
  readonly without?: readonly { readonly schema: string; readonly name: string }[];
  /** Leaves owners and grants out: they are compared by name elsewhere. */
  readonly anonymous?: boolean;
}

/** Reads structures with pg_dump. */
export type DumpReader = (request: DumpRequest) => Promise<DumpText>;

/**
 * A reader by pg_dump.
 * @param serverMajor major of the server to be read; pg_dump reads servers of its own major and older
 * @returns undefined where the machine has none that fits
 */
export async function pgDumpReader(serverMajor: number): Promise<DumpReader | undefined> {
  const found = await findPgDump(serverMajor);
  return found === undefined ? undefined : (request) => read(found.path, request);
}

/** Places where two texts differ; `counts` is asked with the key and both texts. */
export function compareTexts(
  left: DumpText,
  right: DumpText,
  counts: (key: string, left?: string, right?: string) => boolean,
): Difference[] {
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort();
  return keys
    .filter((key) => left.get(key) !== right.get(key) && counts(key, left.get(key), right.get(key)))
    .map((key) => ({
      object: key,
      facet: 'pg_dump',
      left: left.get(key),
      right: right.get(key),
      textOnly: false,
    }));
}

async function read(path: string, request: DumpRequest): Promise<DumpText> {
  const url = new URL(request.url);
  const password = decodeURIComponent(url.password);
  url.password = '';
  const args = [
    '--schema-only',
    '--no-tablespaces',
    '--no-subscriptions',
    '--exclude-schema=holdfast',
    ...(request.anonymous === true ? ['--no-owner', '--no-privileges'] : []),
    ...(request.without ?? []).map((one) => `--exclude-table=${ident(one.schema)}.${ident(one.name)}`),
    `--dbname=${url.href}`,
  ];
  const { stdout } = await run(path, args, {
    maxBuffer: MAX_BYTES,
    timeout: TIMEOUT_MS,
    env: { ...process.env, PGPASSWORD: password, PGTZ: 'UTC' },
  });
  return blocks(stdout);
}

const HEADER = /^-- (?:Data for )?Name: (.*); Type: (.*); Schema: (.*); Owner: .*$/;

function blocks(text: string): DumpText {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    const header = HEADER.exec(line);
    if (header !== null) {
      const key = `${header[2] ?? ''} ${header[3] ?? ''} ${header[1] ?? ''}`;
      lines = found.get(key) ?? [];
      found.set(key, lines);
    } else if (!/^(--|SET |SELECT pg_catalog\.set_config|\\|$)/.test(line)) {
      lines.push(line);
    }
  }
  return new Map(
    [...found].map(([key, block]) => [key, ordered(block).join('\n').replaceAll(OPTIONS, sortedOptions)]),
  );
}

const OPTIONS = /\bWITH \(([^()]*)\)/g;

/** Storage parameters stand in the order they were set in. */
function sortedOptions(_: string, list: string): string {
  return `WITH (${list.split(', ').sort().join(', ')})`;
}

/** A column that was dropped and made again stands last, which is no difference; so the lines of a table are sorted. */
function ordered(block: readonly string[]): readonly string[] {
  const open = block.findIndex((line) => /^CREATE (UNLOGGED |FOREIGN )?TABLE .*\($/.test(line));
  const close = block.findIndex((line, at) => at > open && line.startsWith(')'));
  if (open < 0 || close < 0) return block;
  const columns = block.slice(open + 1, close).map((line) => line.replace(/,$/, ''));
  return [...block.slice(0, open + 1), ...columns.sort(), ...block.slice(close)];
}
