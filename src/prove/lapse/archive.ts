// The archive of one relation as a replay reads it: every part as something that can stand after FROM. Parts that are
// files are read once into a table of the books, since nothing may change them.
import type { ArchivedPart, CatalogueQuery } from '../../define/index.ts';
import { ident, qualified } from '../../sql.ts';
import { BOOK_SCHEMA, columnList, type Booked } from './book.ts';

/** A part that can be queried. */
export interface OpenPart {
  readonly name: string;
  readonly from: Date | null;
  readonly to: Date | null;
  /** Stands after FROM. */
  readonly sql: string;
}

const ROWS_AT_ONCE = 1000;

/** The parts of one relation's archive, opened as they come. */
export class Archive {
  readonly #query: CatalogueQuery;
  readonly #book: Booked;
  readonly #read = new Map<string, string>();
  #made = 0;

  constructor(query: CatalogueQuery, book: Booked) {
    this.#query = query;
    this.#book = book;
  }

  /** The parts as they are now; tables of files that have gone are dropped. */
  async open(parts: readonly ArchivedPart[]): Promise<readonly OpenPart[]> {
    const names = new Set(parts.map((part) => part.name));
    for (const [name, table] of this.#read) {
      if (names.has(name)) continue;
      await this.#query(`DROP TABLE ${table}`);
      this.#read.delete(name);
    }
    const open: OpenPart[] = [];
    for (const part of parts) open.push({ ...part, sql: await this.#sqlOf(part) });
    return open;
  }

  async #sqlOf({ name, rows, grows }: ArchivedPart): Promise<string> {
    if ('sql' in rows) return rows.sql;
    const known = this.#read.get(name);
    if (known !== undefined && !grows) return known;
    if (known !== undefined) await this.#query(`DROP TABLE ${known}`);
    this.#made += 1;
    const table = qualified({ schema: BOOK_SCHEMA, name: `${this.#book.copy.name}_part_${this.#made}` });
    await this.#query(`CREATE UNLOGGED TABLE ${table} (LIKE ${qualified(this.#book.copy)})`);
    await this.#fill(table, rows.read());
    this.#read.set(name, table);
    return table;
  }

  async #fill(table: string, rows: AsyncIterable<Readonly<Record<string, string | null>>>): Promise<void> {
    const { columns } = this.#book;
    const values = columns.map(({ name, type }) => `${ident(name)}::${type}`).join(', ');
    const given = columns.map((_, at) => `$${at + 1}::pg_catalog.text[]`).join(', ');
    const names = columns.map(({ name }) => ident(name)).join(', ');
    const sql = `INSERT INTO ${table} (${columnList(this.#book)}) SELECT ${values} FROM ROWS FROM (unnest(${given})) AS r (${names})`;
    let batch: Readonly<Record<string, string | null>>[] = [];
    const write = async (): Promise<void> => {
      if (batch.length === 0) return;
      await this.#query(
        sql,
        columns.map(({ name }) => batch.map((row) => row[name] ?? null)),
      );
      batch = [];
    };
    for await (const row of rows) {
      batch.push(row);
      if (batch.length >= ROWS_AT_ONCE) await write();
    }
    await write();
  }
}
