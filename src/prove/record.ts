// What was proved on a database is written down in its ledger, whole, and read back. A database without a ledger is never
// written: what was seen there goes to whoever asked, alone.
import type { ClientBase } from 'pg';
import { fingerprint } from '../build/index.ts';
import { hasLedger, hasProofs, ledgerDefaults, migrate, proofRows, putProof } from '../ledger/index.ts';
import {
  isSqlstate,
  openPool,
  release,
  SQLSTATE,
  serverVersion,
  target,
  withClient,
} from '../server/index.ts';
import { HoldfastError } from '../error.ts';
import type { Evidence, Section } from './evidence.ts';

/** Defaults of {@link RecordOptions}. */
export const recordDefaults = { keep: 50, maxBytes: 8 * 1024 * 1024 } as const;

/** What a proof was run against. */
export interface Standing {
  /** The database as it may be shown, without secrets. */
  readonly target: string;
  /** The structure that is there, as SHA-256 of its catalogue: `fingerprint` of holdfast/build. */
  readonly fingerprint: string;
  /** `18.4` */
  readonly serverVersion: string;
  /** The release of Holdfast that proves. */
  readonly release: string;
}

/** One proof: what was seen, against what, by whom and when. */
export interface ProofRecord extends Standing {
  /** The definition's name; null for a database that is known by its URL alone. */
  readonly definition: string | null;
  /** By the injected clock. */
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly evidence: Evidence;
  /** Its number in the ledger, where it is kept there; grows with every record. A text because it is a bigint. */
  readonly record?: string;
}

/** A proof as the ledger has it. */
export interface RecordedProof extends ProofRecord {
  readonly record: string;
  readonly definition: string;
  readonly byRole: string;
  readonly byHost: string;
}

export interface RecordOptions {
  readonly ledgerSchema?: string;
  /** How many records of one proof of a definition stay; the oldest go. */
  readonly keep?: number;
  /** Evidence longer than this as JSON is kept without its sections. */
  readonly maxBytes?: number;
}

/** Where a record went, or why nowhere. */
export type Recorded = { readonly record: string } | { readonly why: string };

/**
 * Reads what a proof is run against. Changes nothing.
 * @throws HoldfastError as `connect` does; HF_SERVER_VERSION for a major outside of 15 to 18
 */
export async function standing(url: string): Promise<Standing> {
  const versionNumber = await withClient(url, async (client) => serverVersion(client));
  const pool = openPool(url, { max: 1, applicationName: 'holdfast prove' });
  try {
    return {
      target: target(url).shown,
      fingerprint: await fingerprint(pool),
      // Since 10 a version is major and minor, two numbers: https://www.postgresql.org/support/versioning/
      serverVersion: `${Math.trunc(versionNumber / 10_000)}.${versionNumber % 10_000}`,
      release,
    };
  } finally {
    await pool.end();
  }
}

/**
 * Writes a record into the ledger of the database it is about, in one statement; forgets the oldest of the same proof.
 * A ledger of an earlier release is brought to this one first.
 * @param client a session outside a transaction
 * @returns the record's number, or why there is none: no ledger, no right to write it, a server that is only read
 */
export async function recordProof(
  client: ClientBase,
  record: ProofRecord & { readonly definition: string },
  options: RecordOptions = {},
): Promise<Recorded> {
  const { ledgerSchema = ledgerDefaults.schema, keep = recordDefaults.keep } = options;
  try {
    if (!(await hasLedger(client, ledgerSchema)))
      return { why: 'the database has no ledger: nothing was applied to it' };
    if (!(await hasProofs(client, ledgerSchema))) await migrate(client, ledgerSchema);
    const evidence = bounded(storable(record.evidence), options.maxBytes ?? recordDefaults.maxBytes);
    const { proof, verdict, line, figures } = evidence;
    const row = { ...record, proof, verdict, line, figures, evidence };
    return { record: await putProof(client, ledgerSchema, { row, keep }) };
  } catch (error) {
    const why = refusal(error);
    if (why === undefined) throw error;
    return { why };
  }
}

/**
 * What was proved of a definition, newest first; none where no ledger is.
 * @param of `proof`: of that one alone; `newest`: only the newest of each; `limit`: at most so many, default 1000
 */
export async function proofs(
  client: Pick<ClientBase, 'query'>,
  of: {
    readonly definition: string;
    readonly proof?: string;
    readonly newest?: boolean;
    readonly limit?: number;
    readonly ledgerSchema?: string;
  },
): Promise<readonly RecordedProof[]> {
  const rows = await proofRows(client, of.ledgerSchema ?? ledgerDefaults.schema, of);
  return rows.map(
    ({ evidence, proof: _proof, verdict: _verdict, line: _line, figures: _figures, ...row }) => ({
      ...row,
      evidence: evidence as Evidence,
    }),
  );
}

function refusal(error: unknown): string | undefined {
  // First what the ledger says of itself: a cause underneath may have an SQLSTATE too.
  if (error instanceof HoldfastError && error.code === 'HF_LEDGER_RIGHTS')
    return 'the ledger is of an earlier release, and this role may not change it';
  if (error instanceof HoldfastError && error.code === 'HF_LEDGER_NEWER')
    return 'the ledger is of a later release';
  if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) return 'this role may not write the ledger';
  if (isSqlstate(error, SQLSTATE.readOnlySqlTransaction)) return 'this server is only read';
  return undefined;
}

// What no jsonb can hold: the zero character, and halves of a surrogate pair.
// https://www.postgresql.org/docs/current/datatype-json.html
const NOT_STORABLE = /[\0\p{Surrogate}]/gu;

function storable<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(NOT_STORABLE, '\uFFFD') as T;
  if (Array.isArray(value)) return value.map(storable) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, one]) => [storable(name), storable(one as unknown)]);
  return Object.fromEntries(entries) as T;
}

function bounded(evidence: Evidence, maxBytes: number): Evidence {
  const bytes = Buffer.byteLength(JSON.stringify(evidence));
  if (bytes <= maxBytes) return evidence;
  const left: Section = {
    kind: 'text',
    lines: [`The rest of this evidence (${bytes} bytes) is more than a ledger keeps (${maxBytes} bytes).`],
  };
  return { ...evidence, sections: [left] };
}
