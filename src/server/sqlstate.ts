// The SQLSTATEs this package decides by. PostgreSQL keeps these codes stable across versions and languages, its
// messages it does not: https://www.postgresql.org/docs/current/errcodes-appendix.html

/** SQLSTATE by the name PostgreSQL's appendix gives it, in camel case. */
export const SQLSTATE = {
  connectionException: '08000',
  connectionFailure: '08006',
  cannotConnectNow: '57P03',
  invalidAuthorization: '28000',
  invalidPassword: '28P01',
  tooManyConnections: '53300',
  diskFull: '53100',
  outOfMemory: '53200',
  featureNotSupported: '0A000',
  activeSqlTransaction: '25001',
  readOnlySqlTransaction: '25006',
  noActiveSqlTransaction: '25P01',
  invalidTransactionTermination: '2D000',
  inFailedSqlTransaction: '25P02',
  idleInTransactionTimeout: '25P03',
  invalidStatementName: '26000',
  notNullViolation: '23502',
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  exclusionViolation: '23P01',
  raiseException: 'P0001',
  invalidTextRepresentation: '22P02',
  characterNotInRepertoire: '22021',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  statementCompletionUnknown: '40003',
  syntaxError: '42601',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  undefinedColumn: '42703',
  undefinedFunction: '42883',
  undefinedObject: '42704',
  invalidSchemaName: '3F000',
  invalidCatalogName: '3D000',
  duplicatePreparedStatement: '42P05',
  duplicateTable: '42P07',
  duplicateObject: '42710',
  duplicateSchema: '42P06',
  duplicateDatabase: '42P04',
  duplicateFunction: '42723',
  duplicateColumn: '42701',
  dependentObjectsStillExist: '2BP01',
  invalidTableDefinition: '42P16',
  objectInUse: '55006',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
} as const;

/** One of the codes in {@link SQLSTATE}. */
export type Sqlstate = (typeof SQLSTATE)[keyof typeof SQLSTATE];

const SQLSTATE_SHAPE = /^[0-9A-Z]{5}$/;

/**
 * The SQLSTATE an error carries.
 * @param error whatever was thrown; the chain of `cause` is looked through, because Drizzle wraps the driver's error
 * @returns five characters, or undefined when no PostgreSQL server sent it (a broken socket, a bug)
 */
export function sqlstateOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && SQLSTATE_SHAPE.test(code) && 'severity' in at) return code;
  }
  return undefined;
}

/** Whether PostgreSQL refused with one of these SQLSTATEs. Takes what was thrown; never throws itself. */
export function isSqlstate(error: unknown, ...states: readonly Sqlstate[]): boolean {
  const found = sqlstateOf(error);
  return found !== undefined && (states as readonly string[]).includes(found);
}
