// Builds a database from somebody else's document, with the document's own SQL as far as it loads.
import { existsSync, readFileSync } from 'node:fs';
import { Client } from 'pg';
import { ident, literal } from '../../../src/sql.ts';
import type { TestDatabase } from '../../cluster/index.ts';

const DOCUMENT = new URL('../../../../shared/documents/autosdlc.md', import.meta.url);

/** Why the document cannot be read here; undefined where it can. */
export const noDocument = existsSync(DOCUMENT)
  ? undefined
  : 'the document (../shared/documents/autosdlc.md) is not on this machine';

/** A statement of the document that PostgreSQL refused. */
export interface Refused {
  readonly sql: string;
  readonly message: string;
}

/** A heading of the document and the statements in the SQL below it. */
interface Block {
  readonly heading: string;
  readonly statements: readonly string[];
}

/** The document's SQL, one block after the other. */
export function readDocument(): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let sql: string[] | undefined;
  for (const line of readFileSync(DOCUMENT, 'utf8').split('\n')) {
    if (sql === undefined) {
      if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
      if (line === '```sql') sql = [];
    } else if (line === '```') {
      blocks.push({ heading, statements: splitStatements(sql.join('\n')) });
      sql = undefined;
    } else sql.push(line);
  }
  return blocks;
}

// A comment, a quoted text, a dollar-quoted body, or anything else up to the semicolon that ends the statement.
const PIECE = /--[^\n]*|'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1|;|[^;'$-]+|[\s\S]/g;

function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let statement = '';
  for (const [piece] of sql.matchAll(PIECE)) {
    if (piece === ';') {
      statements.push(statement.trim());
      statement = '';
    } else if (!piece.startsWith('--')) statement += piece;
  }
  if (statement.trim() !== '') throw new Error(`no semicolon after ${statement.trim()}`);
  return statements;
}

/** How the document's database is built. */
export interface ForeignOptions {
  /** The login that the policies are for; absent: it is not made, as the document never does. */
  readonly role?: string;
  /** What a team writes in the place of a statement that does not load, by how that statement begins. */
  readonly mended?: Readonly<Record<string, string>>;
}

/**
 * Runs the document's statements one by one and goes on after an error, as `psql -f` does.
 * The block "Rollback Procedures" takes back the one before it and is left out: nobody runs it while building.
 * @returns the statements that PostgreSQL refused, with its words
 */
export async function buildForeign(db: TestDatabase, options: ForeignOptions): Promise<Refused[]> {
  const client = new Client(db.url);
  await client.connect();
  const refused: Refused[] = [];
  const { role, mended = {} } = options;
  try {
    if (role !== undefined) await client.query(`CREATE ROLE ${ident(role)} LOGIN PASSWORD ${literal(role)}`);
    for (const { heading, statements } of readDocument()) {
      if (heading === 'Rollback Procedures') continue;
      for (const statement of statements) {
        const begun = Object.keys(mended).find((beginning) => statement.startsWith(beginning));
        const sql = begun === undefined ? statement : (mended[begun] ?? statement);
        await client
          .query(sql.replaceAll('application_user', role ?? 'application_user'))
          .catch((error: Error) => {
            refused.push({ sql: statement, message: error.message });
          });
      }
    }
    if (role !== undefined) await client.query(grants(db.name, role));
    return refused;
  } finally {
    await client.end();
  }
}

// The document grants nothing at all: this is what a team writes when its application says "permission denied", and the
// setting is where the document's own functions look for their key.
function grants(database: string, role: string): string {
  const to = ident(role);
  return `
    GRANT USAGE ON SCHEMA public TO ${to};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${to};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${to};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${to};
    ALTER DATABASE ${ident(database)} SET app.encryption_key = 'a key that everybody can read';`;
}
