// Clauses that several statements share: storage parameters and collations.
import { ident, literal } from '../../sql.ts';

/** Storage parameters as SQL: `fillfactor = 70`. Names are PostgreSQL's words (`toast.autovacuum_enabled`), values text. */
export function parameters(given: Readonly<Record<string, string>>): string {
  return Object.entries(given)
    .map(([name, value]) => `${name.split('.').map(ident).join('.')} = ${literal(value).trim()}`)
    .join(', ');
}

/** A collation's name quoted; `pg_catalog.C` and the like keep their schema. */
export function collation(name: string): string {
  const [first = '', ...rest] = name.split('.');
  // ICU names such as `und-x-icu` hold no dot; locale names such as `en_US.utf8` do and live in pg_catalog.
  return first === 'pg_catalog' && rest.length > 0 ? `pg_catalog.${ident(rest.join('.'))}` : ident(name);
}
