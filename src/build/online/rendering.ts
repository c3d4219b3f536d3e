// Reads the fixed renderings of `pg_get_indexdef` and `pg_get_constraintdef` as far as the online forms need their
// parts. Expressions inside are never looked into.
import type { RelationName } from '../../define/model.ts';

/** `CREATE [UNIQUE] INDEX name ON [ONLY] table USING method (…) …`, cut before `USING`. */
export interface IndexRendering {
  readonly unique: boolean;
  /** From `USING` to the end. */
  readonly tail: string;
  /** The table as rendered. */
  readonly table: RelationName;
}

const NAME = '(?:"(?:[^"]|"")+"|[^\\s."(]+)';
const INDEX = new RegExp(
  `^CREATE (UNIQUE )?INDEX ${NAME} ON (?:ONLY )?(${NAME})\\.(${NAME}) (USING .*)$`,
  's',
);
const REFERENCES = new RegExp(`\\bREFERENCES (${NAME})\\.(${NAME})\\(`);

/** Takes apart what `pg_get_indexdef` gives; undefined when it is not of that form. */
export function readIndex(definition: string): IndexRendering | undefined {
  const parts = INDEX.exec(definition);
  if (parts === null) return undefined;
  const [, unique, schema, table, tail] = parts;
  return {
    unique: unique !== undefined,
    tail: tail ?? '',
    table: { schema: unquote(schema ?? ''), name: unquote(table ?? '') },
  };
}

/** The table a rendered foreign key points at; undefined for every other constraint. */
export function referencedTable(definition: string): RelationName | undefined {
  const parts = REFERENCES.exec(definition);
  if (parts === null || !definition.startsWith('FOREIGN KEY ')) return undefined;
  return { schema: unquote(parts[1] ?? ''), name: unquote(parts[2] ?? '') };
}

/** A rendered UNIQUE or PRIMARY KEY, in the pieces that an index and `USING INDEX` are made of. */
export interface KeyRendering {
  readonly kind: 'UNIQUE' | 'PRIMARY KEY';
  /** What follows the table in CREATE UNIQUE INDEX. */
  readonly index: string;
  /** ` DEFERRABLE INITIALLY DEFERRED` or ''. */
  readonly deferrable: string;
}

/** Takes apart what `pg_get_constraintdef` gives for a key; undefined for WITHOUT OVERLAPS and everything else. */
export function readKey(definition: string): KeyRendering | undefined {
  const start = /^(UNIQUE|PRIMARY KEY) (NULLS NOT DISTINCT )?(?=\()/.exec(definition);
  if (start === null) return undefined;
  const columns = parenthesised(definition, start[0].length);
  if (columns.includes(' WITHOUT OVERLAPS')) return undefined;
  let at = start[0].length + columns.length;
  let include = '';
  if (definition.startsWith(' INCLUDE (', at)) {
    const covering = parenthesised(definition, at + ' INCLUDE '.length);
    include = ` INCLUDE ${covering}`;
    at += include.length;
  }
  const rest = definition.slice(at);
  if (!/^( DEFERRABLE)?( INITIALLY DEFERRED)?$/.test(rest)) return undefined;
  const distinct = start[2] === undefined ? '' : ' NULLS NOT DISTINCT';
  return {
    kind: start[1] === 'UNIQUE' ? 'UNIQUE' : 'PRIMARY KEY',
    index: `USING btree ${columns}${include}${distinct}`,
    deferrable: rest,
  };
}

/** Undoes PostgreSQL's quoting of one name. */
function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** The balanced parenthesis that starts at `from`, quoted names skipped. */
function parenthesised(text: string, from: number): string {
  let depth = 0;
  let quoted = false;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === '(') depth += 1;
    else if (!quoted && character === ')') depth -= 1;
    if (depth === 0) return text.slice(from, at + 1);
  }
  return text.slice(from);
}
