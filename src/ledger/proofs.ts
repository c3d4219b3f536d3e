// What was shown on this database, newest last: each record is one statement, which also forgets the oldest.
import { hostname } from 'node:os';
import type { ClientBase } from 'pg';
import { ident } from '../sql.ts';

type Client = Pick<ClientBase, 'query'>;

/** One record of a proof. Times are those of the clock of whoever ran it. */
export interface ProofRow {
  /** Grows with every record; a text because it is a bigint. */
  readonly record: string;
  readonly definition: string;
  readonly proof: string;
  readonly verdict: string;
  readonly line: string;
  readonly figures: unknown;
  readonly evidence: unknown;
  readonly fingerprint: string;
  readonly serverVersion: string;
  readonly target: string;
  readonly release: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly byRole: string;
  readonly byHost: string;
}

const ROW = `record, definition, proof, verdict, line, figures, evidence, fingerprint,
  server_version AS "serverVersion", target, release, started_at AS "startedAt", finished_at AS "finishedAt",
  by_role AS "byRole", by_host AS "byHost"`;

const hasProofsSql = `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = 'proof' AND c.relkind = 'r') AS there`;

/** Whether the ledger has a place for proofs; an older one lacks it until it is brought to this version. */
export async function hasProofs(client: Client, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(hasProofsSql, [schema]);
  return rows[0]?.there === true;
}

// What another session forgets at this moment is passed over: two that run at once never wait for each other.
const putSql = (schema: string): string => `WITH forgotten AS (DELETE FROM ${schema}.proof WHERE record IN (
    SELECT o.record FROM ${schema}.proof o WHERE o.definition = $1 AND o.proof = $2
    ORDER BY o.record DESC OFFSET $12 FOR UPDATE SKIP LOCKED))
  INSERT INTO ${schema}.proof (definition, proof, verdict, line, figures, evidence, fingerprint, server_version, target,
    release, started_at, finished_at, by_host)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $13, $14) RETURNING record`;

/**
 * Adds a record and forgets the oldest of the same proof.
 * @param keep how many records of one proof stay, this one included
 * @returns the record's number
 */
export async function putProof(
  client: Client,
  schema: string,
  put: { readonly row: Omit<ProofRow, 'record' | 'byRole' | 'byHost'>; readonly keep: number },
): Promise<string> {
  const { row, keep } = put;
  const { rows } = await client.query<{ record: string }>(putSql(ident(schema)), [
    row.definition,
    row.proof,
    row.verdict,
    row.line,
    JSON.stringify(row.figures),
    JSON.stringify(row.evidence),
    row.fingerprint,
    row.serverVersion,
    row.target,
    row.release,
    row.startedAt,
    Math.max(0, keep - 1),
    row.finishedAt,
    `${hostname()} (${process.pid})`,
  ]);
  return rows[0]?.record ?? '0';
}

/**
 * Records of a definition, newest first; none where the ledger has no place for them.
 * @param of `proof`: of that one only; `newest`: only the newest of each proof; `limit`: at most so many
 */
export async function proofRows(
  client: Client,
  schema: string,
  of: {
    readonly definition: string;
    readonly proof?: string;
    readonly newest?: boolean;
    readonly limit?: number;
  },
): Promise<readonly ProofRow[]> {
  if (!(await hasProofs(client, schema))) return [];
  const { rows } = await client.query<ProofRow>(
    `SELECT ${ROW} FROM ${ident(schema)}.proof p
     WHERE definition = $1 AND ($2::pg_catalog.text IS NULL OR proof = $2)
       AND (NOT $3 OR NOT EXISTS (SELECT FROM ${ident(schema)}.proof n
         WHERE n.definition = p.definition AND n.proof = p.proof AND n.record > p.record))
     ORDER BY p.record DESC LIMIT $4`,
    [of.definition, of.proof ?? null, of.newest ?? false, of.limit ?? 1_000],
  );
  return rows;
}
