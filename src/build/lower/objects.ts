// Objects that tables stand on: schemas, extensions, enums, sequences.
import type { Model, Sequence } from '../../define/model.ts';
import { label } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { LoweredStatement, Owned } from '../lower.ts';

/** Statements for what tables need before they can be made, and the objects among them that get an owner. */
export function lowerDomain(model: Model): { readonly first: LoweredStatement[]; readonly owned: Owned[] } {
  const independent = model.sequences.filter((one) => one.ownedBy === undefined);
  return {
    first: [
      ...model.schemas.filter((name) => name !== 'public').map(schema),
      ...model.extensions.map(extension),
      ...model.enums.map((type) =>
        statement(
          `enum ${label(type)}`,
          `CREATE TYPE ${qualified(type)} AS ENUM (${type.values.map(literal).join(', ')})`,
        ),
      ),
      ...model.sequences.map(sequence),
    ],
    owned: [
      ...model.schemas
        .filter((name) => name !== 'public')
        .map((name) => ({ object: `SCHEMA ${ident(name)}`, subject: `schema ${name}` })),
      ...model.enums.map((type) => ({ object: `TYPE ${qualified(type)}`, subject: `enum ${label(type)}` })),
      ...independent.map((one) => ({
        object: `SEQUENCE ${qualified(one)}`,
        subject: `sequence ${label(one)}`,
      })),
    ],
  };
}

/** One statement whose place in the order is known. */
export function statement(subject: string, sql: string): LoweredStatement {
  return { sql, subject, origin: subject, reorderable: false };
}

// An extension or a .sql file may have made the schema already.
function schema(name: string): LoweredStatement {
  return statement(`schema ${name}`, `CREATE SCHEMA IF NOT EXISTS ${ident(name)}`);
}

function extension(one: Model['extensions'][number]): LoweredStatement {
  const where = one.schema === undefined ? '' : ` WITH SCHEMA ${ident(one.schema)}`;
  return statement(`extension ${one.name}`, `CREATE EXTENSION IF NOT EXISTS ${ident(one.name)}${where}`);
}

function sequence(one: Sequence): LoweredStatement {
  const type = one.type === undefined ? '' : ` AS ${one.type}`;
  const options = one.options === '' ? '' : ` ${one.options}`;
  return statement(`sequence ${label(one)}`, `CREATE SEQUENCE ${qualified(one)}${type}${options}`);
}
