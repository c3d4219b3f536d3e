// Drizzle views, plain and materialised, as views of the model. `.existing()` ones belong to somebody else.
import { is, type SQL } from 'drizzle-orm';
import {
  getMaterializedViewConfig,
  getViewConfig,
  type PgMaterializedView,
  PgColumn,
  type PgView,
} from 'drizzle-orm/pg-core';
import type { View } from '../model.ts';
import type { Expressions } from './expression.ts';
import { storedName } from './name.ts';

/** Gives the model's view for a Drizzle view, or undefined for one declared with `.existing()`. */
export function readView(drizzle: PgView, read: Expressions): View | undefined {
  const config = getViewConfig(drizzle);
  if (config.query === undefined) return undefined;
  const options = optionsOf(config.with);
  return { ...common(config as Common, read), materialized: false, ...(options && { with: options }) };
}

/** Gives the model's view for a Drizzle materialised view, or undefined for one declared with `.existing()`. */
export function readMaterializedView(drizzle: PgMaterializedView, read: Expressions): View | undefined {
  const config = getMaterializedViewConfig(drizzle);
  if (config.query === undefined) return undefined;
  const options = optionsOf(config.with);
  return {
    ...common(config as Common, read),
    materialized: true,
    ...(options && { with: options }),
    ...(config.using !== undefined && { using: config.using }),
    ...(config.tablespace !== undefined && { tablespace: config.tablespace }),
    ...(config.withNoData === true && { withNoData: true }),
  };
}

interface Common {
  readonly name: string;
  readonly schema: string | undefined;
  readonly query: SQL;
  readonly selectedFields: Readonly<Record<string, unknown>>;
}

function common(
  config: Common,
  read: Expressions,
): Pick<View, 'schema' | 'name' | 'query' | 'indexes' | 'columns'> {
  const columns = columnsOf(config.selectedFields, read);
  return {
    schema: config.schema ?? 'public',
    name: storedName(config.name),
    query: read.text(config.query),
    indexes: [],
    ...(columns && { columns }),
  };
}

// A field is a column or an aliased expression; where one is neither (a nested selection), the names stay unknown.
function columnsOf(fields: Readonly<Record<string, unknown>>, read: Expressions): string[] | undefined {
  const names: string[] = [];
  for (const key of Object.keys(fields)) {
    const field = fields[key];
    const alias = (field as { readonly fieldAlias?: unknown } | null)?.fieldAlias;
    if (is(field, PgColumn)) names.push(storedName(read.columnName(field)));
    else if (typeof alias === 'string') names.push(storedName(alias));
    else return undefined;
  }
  return names;
}

// securityInvoker → security_invoker: Drizzle's keys are PostgreSQL's words in camel case.
function optionsOf(given: object | undefined): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return undefined;
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`),
      String(value),
    ]),
  );
}
