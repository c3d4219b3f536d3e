// One session of an application role that tries statements, each attempt in one round trip and rolled back.
import type { Client, DatabaseError, QueryArrayResult } from 'pg';
import { ident, literal } from '../../sql.ts';

/** What a session says of itself: settings by name; empty for none. */
export type Settings = Readonly<Record<string, string>>;

/** What one attempt came to. */
export interface Seen {
  readonly error?: { readonly code: string; readonly message: string; readonly detail: string };
  /** One a statement that ran, in order: columns, rows as text, how many rows the command says it touched. */
  readonly results: readonly Result[];
  /** What the server said aside, each NOTICE's text. */
  readonly notices: readonly string[];
  /** What COPY sent. */
  readonly copied: string;
}

export interface Result {
  readonly command: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly count: number;
}

/** Further statements of the same transaction, by what the first ones gave. */
export type Follow = (first: Seen) => readonly string[];

/** Values read alike whatever the role's own settings are; a statement that does not end is ended. */
export const ALIKE = `SET LOCAL statement_timeout = '3s'; SET LOCAL lock_timeout = '1s'; SET LOCAL client_min_messages = notice;
SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1; SET LOCAL xmloption = 'content'`;

/** SET LOCAL for each setting. */
export function settingsSql(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `SET LOCAL ${name.split('.').map(ident).join('.')} = ${literal(value)};`)
    .join('\n');
}

/** A session that tries. */
export class Attacker {
  readonly role: string;
  readonly #client: Client;
  #failed = false;
  #alike = false;

  constructor(role: string, client: Client) {
    this.role = role;
    this.#client = client;
  }

  /**
   * Runs statements as the given owner in one transaction that is rolled back. Never throws for what the server says.
   * @param follow what to run besides before the end, by what the statements gave
   */
  async attempt(settings: Settings, statements: readonly string[], follow?: Follow): Promise<Seen> {
    await this.#readAlike();
    const begin = `BEGIN; ${settingsSql(settings)} ${statements.join(';\n')}`;
    const skipped = 1 + Object.keys(settings).length;
    if (follow !== undefined) return this.#following(await this.run(begin, skipped), follow);
    const seen = await this.run(`${begin}; ROLLBACK`, skipped);
    return { ...seen, results: seen.results.slice(0, -1) };
  }

  async #following(first: Seen, follow: Follow): Promise<Seen> {
    if (first.error !== undefined) return first;
    const second = await this.run([...follow(first), 'ROLLBACK'].join(';\n'));
    return {
      ...second,
      results: [...first.results, ...second.results.slice(0, -1)],
      notices: [...first.notices, ...second.notices],
      copied: first.copied + second.copied,
    };
  }

  /** Once for the session: said in each attempt it would cost more than the attempt. */
  async #readAlike(): Promise<void> {
    if (this.#alike) return;
    this.#alike = true;
    await this.#client.query(ALIKE.replaceAll('SET LOCAL', 'SET'));
  }

  /** Runs statements as they are, in one round trip; the first `skipped` results are not reported. */
  async run(sql: string, skipped = 0): Promise<Seen> {
    const notices: string[] = [];
    const copied: Buffer[] = [];
    const onNotice = (notice: { message?: string | undefined }): void => {
      notices.push(notice.message ?? '');
    };
    const onCopy = (message: { chunk: Buffer }): void => {
      copied.push(Buffer.from(message.chunk));
    };
    const { connection } = this.#client as unknown as {
      connection: { on: (e: string, f: unknown) => void; off: (e: string, f: unknown) => void };
    };
    this.#client.on('notice', onNotice);
    connection.on('copyData', onCopy);
    const prefix = this.#failed ? 'ROLLBACK; ' : '';
    this.#failed = false;
    const text = (): string => Buffer.concat(copied).toString('utf8');
    try {
      const raw: unknown = await this.#client.query<(string | null)[]>({
        text: `${prefix}${sql}`,
        rowMode: 'array',
        types: { getTypeParser: () => (value: unknown) => value },
      });
      const all = (Array.isArray(raw) ? raw : [raw]) as QueryArrayResult<(string | null)[]>[];
      const results = all.slice(prefix === '' ? skipped : skipped + 1).map(resultOf);
      return { results, notices, copied: text() };
    } catch (error) {
      this.#failed = true;
      const { code = '', message, detail = '' } = error as DatabaseError;
      return { error: { code, message, detail }, results: [], notices, copied: text() };
    } finally {
      this.#client.off('notice', onNotice);
      connection.off('copyData', onCopy);
    }
  }
}

function resultOf(result: QueryArrayResult<(string | null)[]>): Result {
  return {
    command: result.command,
    columns: result.fields.map((field) => field.name),
    rows: result.rows,
    count: result.rowCount ?? 0,
  };
}

/** Whose session it is. */
export interface Logged {
  readonly role: string;
  /** The login that became the role by SET ROLE; absent: the role itself logged in. */
  readonly through?: string;
}

/** The first lines of a script to copy: who logs in. */
export function opening({ role, through }: Logged): string {
  return through === undefined
    ? `-- logged in as ${role}`
    : `-- logged in as ${through}\nSET ROLE ${ident(role)};`;
}

/** A script to copy: who logs in, then the same statements without what only makes values read alike. */
export function script(by: Logged, settings: Settings, statements: readonly string[]): string {
  const lines = settingsSql(settings);
  return [
    opening(by),
    'BEGIN;',
    ...(lines === '' ? [] : [lines]),
    ...statements.map(ended),
    'ROLLBACK;',
  ].join('\n');
}

function ended(statement: string): string {
  return statement.trim().endsWith(';') ? statement.trim() : `${statement.trim()};`;
}
