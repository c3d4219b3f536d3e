// Which statements belong in a definition: those that say what exists in one database. The rest is refused by name,
// because it would act on a session, on rows, or on the whole cluster, and would act again at every plan.
import { HoldfastError } from '../../error.ts';
import type { SqlText } from './split.ts';

interface Refusal {
  readonly code: `HF_${string}`;
  readonly what: string;
  readonly fix: string;
}

const TRANSACTION: Refusal = {
  code: 'HF_SQL_TRANSACTION',
  what: 'a definition has no transactions; apply decides what runs together.',
  fix: 'Take it out.',
};
const SESSION: Refusal = {
  code: 'HF_SQL_SESSION',
  what: 'it changes the session, and statements of a definition run in any order and in any session.',
  fix: 'Write names with their schema, and settings of functions as CREATE FUNCTION … SET.',
};
const DATA: Refusal = {
  code: 'HF_SQL_DATA',
  what: 'a definition says what exists, not which rows are in it or what is run once.',
  fix: 'Write the CREATE statement itself; put rows in with your application.',
};
const COMMAND: Refusal = {
  code: 'HF_SQL_COMMAND',
  what: 'it makes nothing that a definition could hold.',
  fix: 'Take it out.',
};
const DROP: Refusal = {
  code: 'HF_SQL_DROP',
  what: 'a definition is built in an empty database, and there is nothing to drop.',
  fix: 'Leave the object out of the definition; the plan drops what is no longer said.',
};
const CLUSTER: Refusal = {
  code: 'HF_SQL_CLUSTER',
  what: 'it changes the whole cluster, not this database.',
  fix: 'Declare roles with pgRole or a trait; leave databases, tablespaces and server settings to who runs the server.',
};
const COPY: Refusal = {
  code: 'HF_SQL_COPY',
  what: 'a definition holds no rows, and COPY … FROM STDIN needs psql to send them.',
  fix: 'Put rows in with your application.',
};
const CONCURRENTLY: Refusal = {
  code: 'HF_SQL_CONCURRENTLY',
  what: 'a definition is built in an empty database; whether an index is built concurrently is the plan’s choice.',
  fix: 'Leave CONCURRENTLY out; indexes on tables with rows are always built that way.',
};
const TEMPORARY: Refusal = {
  code: 'HF_SQL_TEMPORARY',
  what: 'a temporary object is gone with the session that made it.',
  fix: 'Take it out.',
};
const UNKNOWN: Refusal = {
  code: 'HF_SQL_UNKNOWN',
  what: 'it begins with a word no statement of a definition begins with.',
  fix: 'Write CREATE, ALTER, COMMENT, GRANT, REVOKE or SECURITY LABEL.',
};

// First words to verdicts; the first rule that fits decides. `null` belongs.
const RULES: readonly (readonly [RegExp, Refusal | null])[] = [
  [/^(BEGIN|COMMIT|ROLLBACK|START|END|SAVEPOINT|RELEASE|ABORT|PREPARE TRANSACTION)\b/, TRANSACTION],
  [/^(SET|RESET|DISCARD)\b/, SESSION],
  [/^COPY\b/, COPY],
  [/^(INSERT|UPDATE|DELETE|MERGE|SELECT|WITH|VALUES|TABLE|CALL|DO|TRUNCATE|REFRESH|EXECUTE)\b/, DATA],
  [
    /^(VACUUM|ANALYZE|ANALYSE|CLUSTER|REINDEX|CHECKPOINT|LISTEN|UNLISTEN|NOTIFY|LOCK|SHOW|EXPLAIN|LOAD)\b/,
    COMMAND,
  ],
  [/^(DECLARE|FETCH|MOVE|CLOSE|PREPARE|DEALLOCATE)\b/, COMMAND],
  [/^(CREATE|ALTER|DROP) USER MAPPING\b/, null],
  [/^(CREATE|ALTER|DROP) (ROLE|USER|GROUP|DATABASE|TABLESPACE|SUBSCRIPTION)\b/, CLUSTER],
  [/^(ALTER SYSTEM|REASSIGN|DROP OWNED)\b/, CLUSTER],
  [/^DROP\b/, DROP],
  [/^CREATE( OR REPLACE)?( (GLOBAL|LOCAL))? (TEMP|TEMPORARY)\b/, TEMPORARY],
  [/^CREATE( UNIQUE)? INDEX CONCURRENTLY\b/, CONCURRENTLY],
  [/^(CREATE|ALTER|COMMENT|GRANT|REVOKE|SECURITY LABEL|IMPORT FOREIGN SCHEMA)\b/, null],
];

/**
 * Refuses a statement that does not belong in a definition.
 * @param origin file and line, for the message
 * @throws HoldfastError HF_SQL_TRANSACTION, _SESSION, _COPY, _DATA, _COMMAND, _CLUSTER, _DROP, _TEMPORARY,
 *   _CONCURRENTLY or _UNKNOWN
 */
export function refuseForeign(statement: SqlText, origin: string): void {
  const head = statement.words.slice(0, 6).join(' ');
  const rule = RULES.find(([pattern]) => pattern.test(head));
  const refusal = rule === undefined ? UNKNOWN : (rule[1] ?? (grantsRole(statement) ? CLUSTER : null));
  if (refusal === null) return;
  throw new HoldfastError({
    code: refusal.code,
    subject: `${origin}: ${head.length > 60 ? `${head.slice(0, 60)}…` : head}`,
    what: refusal.what,
    fix: refusal.fix,
  });
}

// GRANT … ON … TO gives rights on an object; without ON it makes one role a member of another.
function grantsRole({ words }: SqlText): boolean {
  return /^(GRANT|REVOKE)$/.test(words[0] ?? '') && !words.includes('ON');
}

// What tables may need: types, functions for defaults and checks, and what those stand on.
const BEFORE =
  /^CREATE( OR REPLACE)?( TRUSTED)?( PROCEDURAL)? (SCHEMA|EXTENSION|TYPE|DOMAIN|COLLATION|FUNCTION|PROCEDURE|AGGREGATE|OPERATOR|CAST|CONVERSION|TEXT SEARCH|SEQUENCE|ACCESS METHOD|LANGUAGE|TRANSFORM|FOREIGN DATA WRAPPER|SERVER)\b/;

/** Whether a statement of a file goes before the tables or after them; a first guess, for it is tried again. */
export function phaseOf({ words }: SqlText): 'before' | 'after' {
  return BEFORE.test(words.slice(0, 6).join(' ')) ? 'before' : 'after';
}

const KIND =
  /^(?:CREATE|ALTER)(?: OR REPLACE)?(?: UNLOGGED| UNIQUE| RECURSIVE| CONSTRAINT| TRUSTED| PROCEDURAL)* ((?:EVENT |MATERIALIZED |FOREIGN |TEXT SEARCH |ACCESS |USER |DEFAULT |LARGE )?(?:DATA WRAPPER|[A-Z]+))(?: IF NOT EXISTS| IF EXISTS| ONLY)* (.*)$/;

/** What a statement makes, for messages: `function app.touch`; its first words where that is not plain. */
export function subjectOf({ words, sql }: SqlText): string {
  const found = KIND.exec(words.slice(0, 14).join(' '));
  const kind = found?.[1];
  const name =
    /^("(?:[^"]|"")+"|[A-Z_\u0080-\uffff][\w$\u0080-\uffff]*)(?: \. ("(?:[^"]|"")+"|[A-Z_\u0080-\uffff][\w$\u0080-\uffff]*))?/.exec(
      found?.[2] ?? '',
    );
  if (kind === undefined || name === null) return sql.replace(/\s+/g, ' ').slice(0, 60);
  const parts = [name[1], name[2]].filter((part) => part !== undefined);
  return `${kind.toLowerCase()} ${parts.map(spelled).join('.')}`;
}

// Unquoted names are folded to lower case, as the server folds them.
function spelled(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}
