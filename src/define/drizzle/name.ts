// Names as PostgreSQL keeps them. drizzle-kit writes long names whole and lets the server cut them; so a database it
// made carries the cut names, and the definition has to say the same.
const MAX_IDENTIFIER_BYTES = 63;

/**
 * Cuts a name to the 63 bytes PostgreSQL keeps, never inside a character.
 * @returns the name as the server would store it
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
 */
export function storedName(name: string): string {
  if (Buffer.byteLength(name) <= MAX_IDENTIFIER_BYTES) return name;
  let kept = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_IDENTIFIER_BYTES) break;
    kept += character;
  }
  return kept;
}
