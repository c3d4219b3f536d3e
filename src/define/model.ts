// The plain model every front end fills and every trait rewrites: relations as values, expressions as SQL text.
// Nothing here is compared with a server; the model is lowered to DDL and PostgreSQL alone says what it means.

/** A schema-qualified name, as PostgreSQL stores it (not quoted). */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** One column. `type`, `default` and `generated` are SQL text. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly default?: string;
  readonly generated?: { readonly as: string; readonly kind: 'stored' | 'virtual' };
  readonly identity?: { readonly kind: 'always' | 'by default'; readonly options?: string };
  readonly collation?: string;
  readonly comment?: string;
}

/** A primary key or unique constraint. */
export interface KeyConstraint {
  readonly name?: string;
  readonly columns: readonly string[];
  /** Covering columns (INCLUDE). */
  readonly include?: readonly string[];
  readonly nullsNotDistinct?: boolean;
  readonly deferrable?: 'initially immediate' | 'initially deferred';
}

export interface ForeignKey {
  readonly name?: string;
  readonly columns: readonly string[];
  readonly references: RelationName & { readonly columns: readonly string[] };
  readonly onDelete?: string;
  readonly onUpdate?: string;
  /** `SET NULL (columns)` and `SET DEFAULT (columns)`: which columns the action touches (PostgreSQL 15 and later). */
  readonly onDeleteColumns?: readonly string[];
  readonly match?: 'full' | 'simple';
  readonly deferrable?: 'initially immediate' | 'initially deferred';
}

export interface Check {
  readonly name?: string;
  readonly expression: string;
  readonly noInherit?: boolean;
}

export interface Exclusion {
  readonly name?: string;
  readonly using: string;
  /** Elements as SQL text: `room WITH =`. */
  readonly elements: readonly string[];
  readonly where?: string;
  readonly deferrable?: 'initially immediate' | 'initially deferred';
}

/**
 * One element of an index key; one of `column` and `expression` is present.
 * `expression` is SQL text put into the statement as it is: anything but a function call brings its own parentheses.
 */
export interface IndexElement {
  readonly column?: string;
  readonly expression?: string;
  readonly opclass?: string;
  readonly collation?: string;
  readonly order?: 'asc' | 'desc';
  readonly nulls?: 'first' | 'last';
}

export interface Index {
  readonly name: string;
  readonly unique: boolean;
  readonly method: string;
  readonly elements: readonly IndexElement[];
  readonly include?: readonly string[];
  readonly where?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly nullsNotDistinct?: boolean;
  readonly comment?: string;
}

export interface Policy {
  readonly name: string;
  readonly as: 'permissive' | 'restrictive';
  readonly for: 'all' | 'select' | 'insert' | 'update' | 'delete';
  /** Role names; `public` means everybody. */
  readonly to: readonly string[];
  readonly using?: string;
  readonly withCheck?: string;
}

export interface Table extends RelationName {
  readonly columns: readonly Column[];
  readonly primaryKey?: KeyConstraint;
  readonly uniques: readonly KeyConstraint[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly checks: readonly Check[];
  readonly exclusions: readonly Exclusion[];
  readonly indexes: readonly Index[];
  readonly policies: readonly Policy[];
  readonly rowSecurity: 'off' | 'enabled' | 'forced';
  readonly partitionBy?: {
    readonly method: 'range' | 'list' | 'hash';
    readonly columns: readonly string[];
    /** The calendar period of one partition, in UTC, where a promise makes them. */
    readonly every?: 'day' | 'week' | 'month' | 'year';
  };
  readonly unlogged?: boolean;
  readonly storage?: Readonly<Record<string, string>>;
  readonly comment?: string;
  /** What a promise about this table refuses whoever asks, so that no role is granted it; absent: nothing is refused. */
  readonly refuses?: {
    readonly delete: boolean;
    /** True: every update. A list: updates may touch these columns alone. False: none is refused. */
    readonly update: boolean | readonly string[];
  };
  /** Columns that a trigger moves by itself; no promise about the user's own changes counts them. */
  readonly selfMoving?: readonly string[];
  /** A promise keeps it for its own use: no application role is granted anything on it unless somebody says so. */
  readonly internal?: boolean;
  /** A promise computes its rows: application roles read it unless somebody says otherwise. */
  readonly derived?: boolean;
  /** A promise moves that table's rows here when they are old. */
  readonly archiveOf?: RelationName;
}

export interface View extends RelationName {
  readonly query: string;
  readonly materialized: boolean;
  /** View options as PostgreSQL names them: `security_barrier`, `security_invoker`, `check_option`; or storage of a matview. */
  readonly with?: Readonly<Record<string, string>>;
  readonly using?: string;
  readonly tablespace?: string;
  readonly withNoData?: boolean;
  readonly indexes: readonly Index[];
  /** Column names of the view in order, where the front end knows them. */
  readonly columns?: readonly string[];
  readonly comment?: string;
  /** Role that owns it, when it is not the model's owner. */
  readonly owner?: string;
}

export interface EnumType extends RelationName {
  readonly values: readonly string[];
}

export interface Sequence extends RelationName {
  readonly type?: string;
  /** Options as SQL text: `INCREMENT BY 2 CACHE 10`. */
  readonly options: string;
  readonly ownedBy?: RelationName & { readonly column: string };
}

/** A role of the cluster. Roles are not part of any database; they are ensured before a plan's first step. */
export interface Role {
  readonly name: string;
  readonly login: boolean;
  readonly bypassRls: boolean;
  readonly createDb?: boolean;
  readonly createRole?: boolean;
  readonly inherit?: boolean;
  /** Roles this one is a member of. */
  readonly memberOf: readonly string[];
  /** Settings as `ALTER ROLE … SET`: `statement_timeout` → `30s`. */
  readonly settings: Readonly<Record<string, string>>;
  /** The role exists already and is only referred to (`pgRole('x').existing()`): never created or changed. */
  readonly existing?: boolean;
}

/**
 * Free SQL: anything the model has no field for (functions, triggers, grants, domains, statistics …), one statement each.
 * `phase` says where it goes: `before` tables (extensions, types, functions that tables use), `after` tables and views.
 */
export interface Statement {
  readonly sql: string;
  /** What it makes, for messages: `function public.touch()`. */
  readonly subject: string;
  /** Who asked for it: a file name with line, `trait tenancy`, `table x.y`. */
  readonly origin: string;
  readonly phase: 'before' | 'after';
}

/** Everything a definition says, as one value. Lists keep the user's order. */
export interface Model {
  readonly name: string;
  readonly schemas: readonly string[];
  readonly extensions: readonly { readonly name: string; readonly schema?: string }[];
  readonly roles: readonly Role[];
  readonly enums: readonly EnumType[];
  readonly sequences: readonly Sequence[];
  readonly tables: readonly Table[];
  readonly views: readonly View[];
  readonly statements: readonly Statement[];
  /** Role without login that owns what this definition makes; absent: whoever applies the plan. */
  readonly owner?: string;
}

/** Finds a table by name, or undefined. */
export function findTable(model: Model, of: RelationName): Table | undefined {
  return model.tables.find((table) => table.schema === of.schema && table.name === of.name);
}

/** Returns the model with each table for which `which` holds replaced by `change(table)`. */
export function mapTables(
  model: Model,
  which: (table: Table) => boolean,
  change: (table: Table) => Table,
): Model {
  return { ...model, tables: model.tables.map((table) => (which(table) ? change(table) : table)) };
}

/** `schema.name` for messages and keys; never for SQL (use `qualified` of sql.ts there). */
export function label(of: RelationName): string {
  return `${of.schema}.${of.name}`;
}

/** Words PostgreSQL reads in a role's place; quoted they would be names of roles. */
export const ROLE_WORDS: ReadonlySet<string> = new Set([
  'public',
  'current_user',
  'current_role',
  'session_user',
]);
