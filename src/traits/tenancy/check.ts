// Mistakes that would let one tenant see, block or point at another's rows, found before any server is asked.
import { findTable, type ForeignKey, type Index, label, type Model, type Table } from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { columnOf, relationOf } from '../reference.ts';
import { settingTypeOf } from '../setting.ts';
import type { TenancyOptions } from './index.ts';
import { ISOLATION, loginRole, namedTables, type Standing, standings } from './plan.ts';

interface Scene {
  readonly model: Model;
  readonly options: TenancyOptions;
  readonly standings: ReadonlyMap<string, Standing>;
}

/** Everything wrong with the definition under these options; none: an empty list. */
export function findings(model: Model, options: TenancyOptions): readonly Diagnostic[] {
  const scene: Scene = { model, options, standings: standings(model, options) };
  return [
    ...unknownNames(scene),
    ...model.tables.flatMap((table) => tableFindings(table, scene)),
    ...membershipFindings(scene),
    ...definerFindings(model),
  ];
}

function unknownNames({ model, options }: Scene): Diagnostic[] {
  return namedTables(options)
    .filter(({ of }) => findTable(model, of) === undefined)
    .map(({ of, as }) =>
      error(
        'HF_TRAIT_TABLE',
        `table ${label(of)}`,
        `tenancy names it in '${as}', but the definition has no such table.`,
        'Add the table or correct its name.',
      ),
    );
}

function tableFindings(table: Table, scene: Scene): Diagnostic[] {
  const standing = scene.standings.get(label(table));
  if (standing === undefined || standing.kind === 'except' || standing.kind === 'shared') return [];
  const subject = `table ${label(table)}`;
  if (standing.kind === 'unknown') {
    return [
      error(
        'HF_TENANT_COLUMN',
        subject,
        `it has no column ${scene.options.column}, so nothing says whose its rows are.`,
        "Add the column, or list the table in 'shared' (every tenant sees it) or 'except' (no application role does).",
      ),
    ];
  }
  return [
    ...columnFindings(table, standing.column),
    ...policyFindings(table, scene.options),
    ...keyFindings(table, { column: standing.column, options: scene.options }),
    ...indexFindings(table, { column: standing.column, options: scene.options }),
    ...table.foreignKeys.flatMap((key) => foreignKeyFindings(key, { table, column: standing.column, scene })),
  ];
}

function columnFindings(table: Table, name: string): Diagnostic[] {
  const column = table.columns.find((one) => one.name === name);
  if (column === undefined) return [];
  const subject = `column ${label(table)}.${name}`;
  const found: Diagnostic[] = [];
  if (!column.notNull && !(table.primaryKey?.columns.includes(name) ?? false)) {
    found.push(
      error(
        'HF_TENANT_NULL',
        subject,
        'it may be NULL: such a row belongs to nobody and nobody sees it.',
        'Make it NOT NULL.',
      ),
    );
  }
  if (settingTypeOf(column.type) === undefined) {
    found.push(
      error(
        'HF_TENANT_TYPE',
        subject,
        `its type ${column.type} has no leakproof comparison that an index could serve under row security.`,
        'Use text, varchar, uuid, smallint, integer or bigint.',
      ),
    );
  }
  return found;
}

/** PostgreSQL lets a row through when any permissive policy does: one more for the application undoes isolation. */
function policyFindings(table: Table, options: TenancyOptions): Diagnostic[] {
  const app = loginRole(options.roles.app).name;
  return table.policies
    .filter((policy) => policy.as === 'permissive' && policy.name !== ISOLATION)
    .filter((policy) => policy.to.length === 0 || policy.to.some((role) => role === app || role === 'public'))
    .map((policy) =>
      error(
        'HF_TENANT_POLICY',
        `policy ${policy.name} on table ${label(table)}`,
        'it is permissive and reaches the application: such policies are OR-ed with isolation, so it shows other tenants’ rows.',
        "Make it restrictive, say it in 'restrict', or give it to a role of its own.",
      ),
    );
}

interface Tenanted {
  readonly column: string;
  readonly options: TenancyOptions;
}

function keyFindings(table: Table, by: Tenanted): Diagnostic[] {
  const keys = [
    ...(table.primaryKey === undefined ? [] : [{ kind: 'primary key', columns: table.primaryKey.columns }]),
    ...table.uniques.map((one) => ({ kind: 'unique key', columns: one.columns })),
    ...table.indexes
      .filter((one) => one.unique)
      .map((one) => ({ kind: `unique index ${one.name}`, columns: keyOf(one) })),
  ];
  return keys
    .filter(
      ({ columns }) => columns[0] !== by.column && !spansTenants(table, { columns, options: by.options }),
    )
    .map(({ kind, columns }) =>
      error(
        'HF_TENANT_KEY',
        `${kind} (${columns.join(', ')}) of table ${label(table)}`,
        `it does not lead with ${by.column}: a duplicate tells one tenant what another has, and the policy cannot use it.`,
        `Put ${by.column} first, or name the key in 'globalKeys' with the reason.`,
      ),
    );
}

function spansTenants(
  table: Table,
  by: { readonly columns: readonly string[]; readonly options: TenancyOptions },
): boolean {
  return (by.options.globalKeys ?? []).some((one) => {
    const of = relationOf(one.table);
    const columns = one.columns.map(columnOf);
    return (
      of.schema === table.schema && of.name === table.name && columns.join('\0') === by.columns.join('\0')
    );
  });
}

/** Only a leading tenant column serves the policy's comparison; GIN, BRIN and the like have no leading column. */
function indexFindings(table: Table, by: Tenanted): Diagnostic[] {
  return table.indexes
    .filter((index) => !index.unique && index.method === 'btree' && keyOf(index)[0] !== by.column)
    .map((index) => ({
      code: 'HF_TENANT_INDEX',
      severity: 'warning',
      subject: `index ${index.name} of table ${label(table)}`,
      what: `it does not lead with ${by.column}, so a tenant's query reads every tenant's entries.`,
      fix: `Put ${by.column} first.`,
    }));
}

function keyOf(index: Index): readonly string[] {
  return index.elements.map((element) => element.column ?? `(${element.expression ?? ''})`);
}

/** The check of a foreign key does not see row security: only the tenant inside the key keeps it from pointing out. */
function foreignKeyFindings(
  key: ForeignKey,
  by: { readonly table: Table; readonly column: string; readonly scene: Scene },
): Diagnostic[] {
  const subject = `foreign key (${key.columns.join(', ')}) of table ${label(by.table)}`;
  const found: Diagnostic[] = [];
  const target = by.scene.standings.get(label(key.references));
  const carried = key.columns.indexOf(by.column);
  if (target?.kind === 'tenant' && (carried < 0 || key.references.columns[carried] !== target.column)) {
    found.push(
      error(
        'HF_TENANT_FK',
        subject,
        `it does not carry ${by.column} to ${label(key.references)}.${target.column}: a row could point at another tenant's.`,
        `Make it (${by.column}, …) referencing (${target.column}, …), with a unique key on those columns.`,
      ),
    );
  }
  const clears = /^set (null|default)$/i.test(key.onDelete ?? '');
  const cleared = key.onDeleteColumns ?? key.columns;
  if (clears && carried >= 0 && cleared.includes(by.column)) {
    found.push(
      error(
        'HF_TENANT_FK_ACTION',
        subject,
        `ON DELETE ${(key.onDelete ?? '').toUpperCase()} would clear ${by.column} as well, which is refused: the parent could never be deleted.`,
        `Name the columns it clears, without ${by.column}: ON DELETE SET NULL (column).`,
      ),
    );
  }
  return found;
}

function membershipFindings({ model, options }: Scene): Diagnostic[] {
  return (options.membership ?? []).flatMap((one) => {
    const owner = one.owner ?? options.roles.bypass?.[0];
    const declared = model.roles.find((role) => role.name === owner);
    const bypasses =
      declared === undefined
        ? (options.roles.bypass ?? []).includes(owner ?? '')
        : declared.bypassRls || declared.existing === true;
    if (owner !== undefined && bypasses) return [];
    return [
      error(
        'HF_MEMBERSHIP_OWNER',
        `membership function ${label(one.function)}`,
        'its owner is not a BYPASSRLS role: a policy that calls it would read tables whose policies call it again.',
        "Name a role of 'roles.bypass' as its owner.",
      ),
    ];
  });
}

/** A function that runs with its owner's rights obeys the caller's search_path unless it fixes its own. */
function definerFindings(model: Model): Diagnostic[] {
  return model.statements
    .filter(({ sql }) => /^\s*CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b/i.test(sql))
    .filter(({ sql }) => /\bSECURITY\s+DEFINER\b/i.test(sql) && !/\bSET\s+search_path\b/i.test(sql))
    .map(({ subject }) =>
      error(
        'HF_DEFINER_PATH',
        subject,
        'it is SECURITY DEFINER without a fixed search_path: a caller can put an object of its own in the way.',
        'Add SET search_path = pg_catalog, pg_temp and qualify the names in its body.',
      ),
    );
}

// oxlint-disable-next-line max-params -- the four parts of a finding, in the order a reader asks for them
function error(code: `HF_${string}`, subject: string, what: string, fix: string): Diagnostic {
  return { code, severity: 'error', subject, what, fix };
}
