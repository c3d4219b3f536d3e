// Looks for traps in a database: every check in one READ ONLY transaction that sees one state and is rolled back.
import type { Client } from 'pg';
import type { Accepted, Boundary } from '../../define/proof.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { serverVersion, sqlstateOf, withClient } from '../../server/index.ts';
import type { ProofProgress } from '../evidence.ts';
import type { Draft, Fact, Severity, TrapCheck, TrapContext } from './check.ts';
import { guessBoundaries } from '../boundary/index.ts';
import { CHECKS } from './checks.ts';
import { composed } from './compose.ts';

/** Defaults of {@link TrapsOptions}. */
export const trapsDefaults = { statementTimeoutMs: 10_000, lockTimeoutMs: 1_000 } as const;

export interface TrapsOptions {
  /** The database to look at. It is only read. */
  readonly url: string;
  /** Lines between owners of rows; absent: guessed from the catalogue. */
  readonly boundaries?: readonly Boundary[];
  /** Roles an application works as, beside those of the boundaries. */
  readonly roles?: readonly string[];
  /** Findings that are meant: shown as information with the reason. */
  readonly accepted?: readonly Accepted[];
  /** Codes of the checks to run; absent: all. */
  readonly only?: readonly string[];
  readonly now: Date;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ProofProgress) => void;
  /** The checks themselves; for tests of a single one. */
  readonly checks?: readonly TrapCheck[];
  /** How long one question may take. */
  readonly statementTimeoutMs?: number;
}

/** One trap found in the database. */
export interface Finding extends Omit<Draft, 'severity' | 'rewrite'> {
  readonly code: TrapCheck['code'];
  readonly severity: Severity;
  /** Why it is meant, where somebody said so; its severity is `info` then. */
  readonly accepted?: string;
}

/** What was found, and what could not be looked at. */
export interface Traps {
  /** Worst first, then by code and subject. */
  readonly findings: readonly Finding[];
  /** Checks that could not see everything, with the reason: a missing right, a timeout. */
  readonly unseen: readonly { readonly code: string; readonly why: string }[];
  /** What was said to be meant and was not found: it says nothing any more. What could not be looked at is left out. */
  readonly idle: readonly Accepted[];
  /** How boundaries and roles were guessed, for people; empty where they were given. */
  readonly said: readonly string[];
  /** How many checks ran. */
  readonly checks: number;
  readonly durationMs: number;
}

/**
 * Runs the checks against a database of PostgreSQL 15 to 18. Nothing is written: one READ ONLY transaction at
 * REPEATABLE READ, rolled back; no function of a user is called.
 * @throws HoldfastError HF_NO_CHECK when `only` names a code that is none; HF_INTERRUPTED when the signal aborted;
 *   what connecting throws
 * @see https://www.postgresql.org/docs/current/sql-set-transaction.html
 */
export async function findTraps(options: TrapsOptions): Promise<Traps> {
  const checks = chosen(options.checks ?? CHECKS, options.only);
  const began = performance.now();
  return await withClient(
    options.url,
    async (client) => {
      const versionNumber = await serverVersion(client);
      await client.query(beginSql(options.statementTimeoutMs ?? trapsDefaults.statementTimeoutMs));
      try {
        const found = await runAll(client, { options, checks, versionNumber });
        return { ...found, checks: checks.length, durationMs: Math.round(performance.now() - began) };
      } finally {
        await client.query('ROLLBACK').catch(() => undefined);
      }
    },
    { applicationName: 'holdfast prove' },
  );
}

function chosen(checks: readonly TrapCheck[], only: readonly string[] | undefined): readonly TrapCheck[] {
  if (only === undefined) return checks;
  const known = new Set<string>(checks.map(({ code }) => code));
  const wrong = only.find((code) => !known.has(code));
  if (wrong === undefined) return checks.filter(({ code }) => only.includes(code));
  throw new HoldfastError({
    code: 'HF_NO_CHECK',
    subject: `check ${JSON.stringify(wrong)}`,
    what: 'there is no check of that code.',
    fix: 'Give a code of docs/reference/traps, such as HT101.',
  });
}

// UTC and ISO, so that text means the same everywhere; pg_catalog alone, so that names are written in full and no user's
// function is called by name; row_security off, so that a filtered answer is an error; jit would compile questions for longer than they take.
function beginSql(statementTimeoutMs: number): string {
  return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = ${statementTimeoutMs}; SET LOCAL lock_timeout = ${trapsDefaults.lockTimeoutMs};
    SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601';
    SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off; SET LOCAL quote_all_identifiers = off;
    SET LOCAL jit = off`;
}

const READER_SQL = `
  SELECT current_user::pg_catalog.text AS name, r.rolsuper AS super
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`;

interface Run {
  readonly options: TrapsOptions;
  readonly checks: readonly TrapCheck[];
  readonly versionNumber: number;
}

async function runAll(client: Client, run: Run): Promise<Omit<Traps, 'checks' | 'durationMs'>> {
  const { options, checks } = run;
  const findings: (Finding & Pick<Draft, 'rewrite'>)[] = [];
  const unseen: { code: string; why: string }[] = [];
  const { context, said } = await contextOf(client, run);
  for (const [done, check] of checks.entries()) {
    refuseAborted(options.signal);
    options.onProgress?.({ proof: 'traps', doing: check.title, done, of: checks.length });
    await client.query('SAVEPOINT looked');
    try {
      const drafts = await check.find({
        ...context,
        unseen: (why) => void unseen.push({ code: check.code, why }),
      });
      findings.push(...drafts.map((draft) => findingOf(check, draft, options.accepted ?? [])));
    } catch (error) {
      unseen.push({ code: check.code, why: whyUnseen(error) });
    }
    await client.query('ROLLBACK TO SAVEPOINT looked; RELEASE SAVEPOINT looked');
  }
  const idle = idleOf(options.accepted ?? [], { checks, findings, unseen });
  return { findings: composed(findings.toSorted(worstFirst)), unseen, idle, said };
}

async function contextOf(
  client: Client,
  { options, versionNumber }: Run,
): Promise<{ context: TrapContext; said: readonly string[] }> {
  const query: CatalogueQuery = async (sql, values = []) => (await client.query(sql, [...values])).rows;
  const [reader] = await query<TrapContext['reader']>(READER_SQL);
  const { boundaries: lines, said } = await boundariesFor(query, options);
  // A part of a name says of no key or index by itself that it is an owner's.
  const boundaries = lines.filter(({ common = [] }) => common.length === 0);
  const read = new Map<Fact<unknown>, unknown>();
  const context: TrapContext = {
    versionNumber,
    now: options.now,
    boundaries,
    roles: [...new Set([...boundaries.flatMap(({ roles }) => roles), ...(options.roles ?? [])])],
    reader: reader ?? { name: '', super: false },
    query,
    facts: async <T>(fact: Fact<T>): Promise<T> => {
      if (!read.has(fact)) read.set(fact, await fact.read(context));
      return read.get(fact) as T;
    },
    unseen: () => undefined,
  };
  return { context, said };
}

async function boundariesFor(
  query: CatalogueQuery,
  { boundaries, roles }: TrapsOptions,
): Promise<{ boundaries: readonly Boundary[]; said: readonly string[] }> {
  if (boundaries !== undefined) return { boundaries, said: [] };
  return await guessBoundaries(query, roles === undefined ? {} : { roles });
}

function findingOf(
  check: TrapCheck,
  draft: Draft,
  accepted: readonly Accepted[],
): Finding & Pick<Draft, 'rewrite'> {
  const meant = accepted.find((one) => speaksOf(one, { code: check.code, subject: draft.subject }));
  return {
    ...draft,
    code: check.code,
    severity: meant === undefined ? (draft.severity ?? check.severity) : 'info',
    ...(meant === undefined ? {} : { accepted: meant.because }),
  };
}

function speaksOf(accepted: Accepted, of: Pick<Finding, 'code' | 'subject'>): boolean {
  return accepted.code === of.code && (accepted.subject === undefined || accepted.subject === of.subject);
}

/** What speaks of nothing: no finding of a check that ran and saw everything, or no check at all. */
function idleOf(
  accepted: readonly Accepted[],
  { checks, findings, unseen }: Pick<Run, 'checks'> & Pick<Traps, 'findings' | 'unseen'>,
): readonly Accepted[] {
  const looked = (code: string): boolean =>
    checks.some((check) => check.code === code) && !unseen.some((one) => one.code === code);
  const unknown = (code: string): boolean =>
    code.startsWith('HT') && ![...CHECKS, ...checks].some((check) => check.code === code);
  return accepted.filter(
    (one) => unknown(one.code) || (looked(one.code) && !findings.some((finding) => speaksOf(one, finding))),
  );
}

const WORST: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

function worstFirst(a: Finding, b: Finding): number {
  const order = WORST[a.severity] - WORST[b.severity];
  if (order !== 0) return order;
  return `${a.code} ${a.subject}` < `${b.code} ${b.subject}` ? -1 : 1;
}

// What PostgreSQL refuses is told with its own words; a session that is gone ends the run. A check that stumbles over what it
// read does not take the others with it.
function whyUnseen(error: unknown): string {
  if (error instanceof HoldfastError) throw error;
  const state = sqlstateOf(error);
  if (state === undefined && error instanceof TypeError)
    return `the check failed on what it read (${error.message}); the database may have changed meanwhile: run it again, and report it if it stays`;
  if (state === undefined || state.startsWith('08') || state.startsWith('57P')) throw error;
  return `${(error as Error).message} [${state}]`;
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'the search for traps',
    what: 'it was stopped before it was finished; the database was not changed.',
    fix: 'Run it again.',
  });
}
