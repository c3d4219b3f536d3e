// Reads one file of the corpus: what it claims, the database it builds, and the proof by hand that the claim is true.
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** How a hole is seen: by a statement that crosses, or by a reader of the catalogue who says what can be done with it. */
export type Seen = 'crossed' | 'told';

/** One database of the corpus. */
export interface Case {
  /** The file's name without `.sql`. */
  readonly name: string;
  readonly kind: 'hole' | 'near miss';
  /** One line of the claim. */
  readonly title: string;
  /** The objects at which the hole shows: one of them must be named. Empty for a near miss. */
  readonly objects: readonly string[];
  /** What may be named besides: true consequences of the same hole. */
  readonly also: readonly string[];
  /** What is done to cross, in the corpus's own words: see README.md. Empty for a near miss. */
  readonly attacks: readonly string[];
  readonly seen: readonly Seen[];
  /** Items of the list of traps of which one must be found where the hole is one that is told. */
  readonly traps: readonly string[];
  /** The role that crosses, or that does not, as a placeholder: `{app}`. */
  readonly role: string;
  /** The oldest major on which the database can be built. */
  readonly from: number;
  /** Why the engines do not get it right yet; the test then expects them to fail, and fails when they no longer do. */
  readonly limit: string | undefined;
  readonly why: string;
  readonly build: string;
  readonly proof: readonly Step[];
}

/** Statements run in one session, and what the last of them must answer. */
export interface Step {
  /** The session's number in the file. */
  readonly session: string;
  /** Who logs in: a placeholder, or `superuser`. */
  readonly as: string;
  readonly sql: string;
  readonly expect: 'gives' | 'fails' | 'hears';
  readonly answer: string;
}

const HEADER = /^-- (hole|near miss|object|also|attack|seen|trap|role|from|limit|why): (.*)$/;
const MARK = /^-- (session (\S+)(?: as (\S+))?|gives: (.*)|fails: (.*)|hears: (.*))$/;

/** Reads every case of a folder, in the order of names. */
export function readCases(folder: URL): Case[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => readCase(basename(file, '.sql'), readFileSync(new URL(file, `${folder.href}/`), 'utf8')));
}

function readCase(name: string, text: string): Case {
  const lines = text.split('\n');
  const headerEnds = lines.findIndex((line) => !line.startsWith('-- '));
  const header = readHeader(name, lines.slice(0, headerEnds));
  const proofStarts = lines.findIndex((line) => line.startsWith('-- session '));
  if (proofStarts === -1) throw new Error(`${name}: there is no proof in it`);
  const list = (key: string): string[] => (header.get(key) ?? '').split(', ').filter((item) => item !== '');
  const kind = header.has('hole') ? 'hole' : 'near miss';
  const one = (key: string): string => {
    const value = header.get(key);
    if (value === undefined) throw new Error(`${name}: its header does not say "${key}"`);
    return value;
  };
  if (kind === 'hole') for (const key of ['object', 'attack', 'seen']) one(key);
  return {
    name,
    kind,
    title: one(kind),
    objects: list('object'),
    also: list('also'),
    attacks: list('attack'),
    seen: list('seen') as Seen[],
    traps: list('trap'),
    role: one('role'),
    from: Number(header.get('from') ?? 15),
    limit: header.get('limit'),
    why: one('why'),
    build: lines.slice(headerEnds, proofStarts).join('\n'),
    proof: readProof(name, lines.slice(proofStarts)),
  };
}

function readHeader(name: string, lines: readonly string[]): Map<string, string> {
  const header = new Map<string, string>();
  let last = '';
  for (const line of lines) {
    const found = HEADER.exec(line);
    if (found === null && (last === '' || !line.startsWith('--   '))) {
      throw new Error(`${name}: cannot read the header line ${JSON.stringify(line)}`);
    }
    last = found?.[1] ?? last;
    header.set(last, found === null ? `${header.get(last) ?? ''} ${line.slice(5)}` : (found[2] ?? ''));
  }
  return header;
}

function readProof(name: string, lines: readonly string[]): Step[] {
  const steps: Step[] = [];
  const roles = new Map<string, string>();
  let session = '';
  let sql: string[] = [];
  for (const line of lines) {
    const mark = MARK.exec(line);
    if (mark === null) {
      sql.push(line);
    } else if (mark[2] === undefined) {
      const expect = line.startsWith('-- gives') ? 'gives' : line.startsWith('-- fails') ? 'fails' : 'hears';
      const answer = (mark[4] ?? mark[5] ?? mark[6] ?? '').trim();
      steps.push({ session, as: roles.get(session) ?? '', sql: sql.join('\n').trim(), expect, answer });
      sql = [];
    } else {
      if (sql.join('').trim() !== '')
        throw new Error(`${name}: statements without an answer in session ${session}`);
      session = mark[2];
      if (mark[3] !== undefined) roles.set(session, mark[3]);
      if (!roles.has(session)) throw new Error(`${name}: session ${session} does not say who logs in`);
    }
  }
  if (sql.join('').trim() !== '') throw new Error(`${name}: statements after the last answer`);
  return steps;
}
