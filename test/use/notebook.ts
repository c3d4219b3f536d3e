// The small database the session tests run on: notes of tenants under forced row security, an application role, and a
// definition that says the same to `connect`. Written by hand in SQL: sessions must not need the build to be right.
import { integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import type { Definition, Tables } from '../../src/define/database.ts';
import type { Model, Table } from '../../src/define/model.ts';
import { collectProofs } from '../../src/define/proofs.ts';
import type { TestDatabase } from '../cluster/index.ts';

export const notes = pgTable(
  'notes',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull(), body: text().notNull() },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
);

export const tables = { notes };

/** Tenants `t0` to `t39`, five notes each, ids 1 to 5, bodies `t7 note 3`. */
export const TENANTS = 40;
export const NOTES_EACH = 5;

export interface Notebook {
  readonly db: TestDatabase;
  /** The application's connection string, straight to the server. */
  readonly url: string;
  readonly role: string;
  readonly owner: string;
  readonly password: string;
  readonly drop: () => Promise<void>;
}

const SCHEMA_SQL = `
CREATE TABLE notes (tenant_id text NOT NULL, id int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE links (tenant_id text NOT NULL, note_id int NOT NULL,
  FOREIGN KEY (tenant_id, note_id) REFERENCES notes DEFERRABLE INITIALLY DEFERRED);
INSERT INTO notes SELECT 't' || t, i, 't' || t || ' note ' || i
  FROM generate_series(0, ${TENANTS - 1}) t, generate_series(1, ${NOTES_EACH}) i;`;

const policySql = (table: string): string => `
ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ${table} USING (tenant_id = nullif(current_setting('app.current_tenant_id', true), ''));`;

export async function openNotebook(db: TestDatabase): Promise<Notebook> {
  const role = `app_${db.name}`;
  const owner = `owner_${db.name}`;
  const password = 'p@ss/w:rd';
  await db.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'; CREATE ROLE ${owner}`);
  await db.query(SCHEMA_SQL + policySql('notes') + policySql('links'));
  await db.query(`
    ALTER TABLE notes OWNER TO ${owner}; ALTER TABLE links OWNER TO ${owner};
    GRANT SELECT, INSERT, UPDATE, DELETE ON notes, links TO ${role}`);
  return {
    db,
    role,
    owner,
    password,
    url: db.urlAs(role, password),
    drop: async () => {
      await db.query(`DROP OWNED BY ${role}, ${owner} CASCADE`);
      await db.query(`DROP ROLE ${role}, ${owner}`);
    },
  };
}

/** The definition of the notebook, with another pattern for the tenant where a test wants one. */
export function definition<T extends Tables = typeof tables>(
  pattern: RegExp = /[a-z0-9_]+/,
  over?: T,
): Definition<T> {
  const model: Model = {
    name: 'notebook',
    schemas: ['public'],
    extensions: [],
    roles: [],
    enums: [],
    sequences: [],
    tables: ['notes', 'links'].map(plainTable),
    views: [],
    statements: [],
  };
  const session = { settings: { tenant: { setting: 'app.current_tenant_id', pattern } } };
  return {
    name: 'notebook',
    tables: (over ?? tables) as T,
    sql: [],
    traits: [{ name: 'tenancy', session }],
    plain: model,
    notes: [],
    jobs: [],
    measures: { metrics: [], alerts: [], collectors: [] },
    proofs: collectProofs(model, []),
    model,
  };
}

function plainTable(name: string): Table {
  return {
    schema: 'public',
    name,
    columns: [],
    uniques: [],
    foreignKeys: [],
    checks: [],
    exclusions: [],
    indexes: [],
    policies: [],
    rowSecurity: 'forced',
  };
}
