// Runs the proofs that were asked for, one after another, and writes each down as soon as it is done.
import type { Plan } from '../build/index.ts';
import { HoldfastError } from '../error.ts';
import {
  type Evidence,
  type ProofRecord,
  proofs,
  type Recorded,
  recordProof,
  standing,
} from '../prove/index.ts';
import { redact, urlFromEnvironment, withClient } from '../server/index.ts';
import { type Invocation, text } from './command.ts';
import { hasDefinition, loadDefinition } from './load.ts';
import { progress } from './output.ts';
import { type Found, type Proof, PROOFS, type Subject } from './proofs.ts';
import type { Asked } from './prove-arguments.ts';
import { findTarget } from './target.ts';

/** What came of it. */
export interface Outcome {
  readonly records: readonly ProofRecord[];
  /** The command that shows it again, without secrets. */
  readonly again: string;
  /** What a reader should know besides: what was not recorded, and why. */
  readonly notes: readonly string[];
  /** What would mend what was found, where that was asked for. */
  readonly plan?: Plan;
  /** Whether a proof, or a plan that was asked for, could not be brought to its end. */
  readonly failed: boolean;
}

/**
 * Finds what is to be proved: a definition and its database, or a database that is known by its URL alone.
 * @throws HoldfastError as `loadDefinition` and `findTarget`; HF_PROVE_DEFINITION when a proof is asked for that needs
 *   a definition
 */
export async function withSubject<T>(
  invocation: Invocation,
  asked: Asked,
  work: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { env, cwd, signal } = invocation;
  const given = asked.url ?? text(invocation, 'url') ?? urlFromEnvironment(env);
  const alone = asked.definition === undefined && (asked.url !== undefined || !hasDefinition(cwd));
  const line = progress(invocation.terminal);
  const common = {
    hints: asked.hints,
    fix: asked.fix,
    ...(asked.only !== undefined && { only: asked.only }),
    ...(asked.scales !== undefined && { scales: asked.scales }),
    ...(asked.serverUrl !== undefined && { serverUrl: asked.serverUrl }),
    now: invocation.now(),
    signal,
    onProgress: ({ proof, doing, done, of }) => line.show(`${proof}: ${doing}`, done, of),
  } satisfies Partial<Subject>;
  try {
    if (alone && given !== undefined) {
      refuseWithout(asked);
      return await work({ ...common, url: given });
    }
    const loaded = await loadDefinition(asked.definition, cwd);
    const { boundaries } = loaded.definition.proofs;
    if (boundaries.length > 0) refuseHints(asked);
    const place =
      asked.url === undefined
        ? await findTarget(invocation, loaded.definition.name)
        : { url: asked.url, leave: async () => undefined };
    try {
      return await work({
        ...common,
        url: place.url,
        loaded,
        ...(boundaries.length > 0 && { boundaries }),
      });
    } finally {
      await place.leave();
    }
  } finally {
    line.end();
  }
}

function refuseWithout({ proofs: names }: Asked): void {
  const needs = PROOFS.find(({ name, foreign }) => names.includes(name) && !foreign);
  if (needs === undefined) return;
  throw new HoldfastError({
    code: 'HF_PROVE_DEFINITION',
    subject: `proof ${needs.name}`,
    what: 'it compares with a definition, and none was named or is here.',
    fix: 'Name the file of the definition, or leave this proof out.',
  });
}

function refuseHints({ hints }: Asked): void {
  const [hint] = Object.keys(hints);
  if (hint === undefined) return;
  throw new HoldfastError({
    code: 'HF_PROVE_HINT',
    subject: `--${hint === 'roles' ? 'role' : hint}`,
    what: 'the definition says already whose a row is and who must not cross.',
    fix: 'Leave it out; it is for databases without a definition.',
  });
}

/**
 * Runs the proofs that are named, or all that apply.
 * @throws HoldfastError what a proof throws when it is the only one; of several, one that cannot be run is told as
 *   not shown. HF_INTERRUPTED when it was stopped
 */
export async function prove(invocation: Invocation, subject: Subject, asked: Asked): Promise<Outcome> {
  const chosen = choose(subject, asked);
  const against = await standing(subject.url);
  const definition = subject.loaded?.definition.name ?? null;
  const records: ProofRecord[] = [];
  const notes = new Set<string>();
  let failed = false;
  let plan: Plan | undefined;
  for (const proof of chosen) {
    const startedAt = invocation.now();
    const began = performance.now();
    const given = await attempt(proof, subject, chosen.length === 1);
    refuseInterrupted(invocation.signal);
    failed ||= 'error' in given;
    const found = 'error' in given ? notRun(proof, given.error, performance.now() - began) : given.evidence;
    if ('plan' in given && given.plan !== undefined) {
      if ('why' in given.plan) notes.add(`Nothing is planned. ${given.plan.why}`);
      else plan = given.plan;
      failed ||= 'why' in given.plan;
    }
    const record = { ...against, definition, startedAt, finishedAt: invocation.now(), evidence: found };
    const written: Recorded | undefined =
      definition === null ? undefined : await write(subject.url, { ...record, definition });
    if (written !== undefined && 'why' in written) notes.add(`Not recorded: ${written.why}.`);
    records.push({ ...record, ...(written !== undefined && 'record' in written && written) });
  }
  return {
    records,
    again: commandLine(subject, asked),
    notes: [...notes],
    failed,
    ...(plan !== undefined && { plan }),
  };
}

function choose(subject: Subject, { proofs: names, only }: Asked): readonly Proof[] {
  if (names.length > 0) return PROOFS.filter(({ name }) => names.includes(name));
  const speaks = PROOFS.filter(({ of }) => only?.some(of) === true);
  return (speaks.length > 0 ? speaks : PROOFS).filter(({ applies }) => applies(subject));
}

async function attempt(
  proof: Proof,
  subject: Subject,
  only: boolean,
): Promise<Found | { readonly error: HoldfastError }> {
  try {
    return await proof.run(subject);
  } catch (error) {
    if (only || subject.signal.aborted || !(error instanceof HoldfastError)) throw error;
    return { error };
  }
}

function notRun(proof: Proof, error: HoldfastError, durationMs: number): Evidence {
  return {
    proof: proof.name,
    verdict: 'not shown',
    line: `it could not be run: ${error.subject}: ${error.what}`,
    figures: {},
    sections: [{ kind: 'text', title: error.code, lines: [`${error.subject}: ${error.what}`, error.fix] }],
    durationMs: Math.round(durationMs),
  };
}

// What was seen is not lost because it could not be written down.
async function write(url: string, record: ProofRecord & { readonly definition: string }): Promise<Recorded> {
  try {
    return await withClient(url, async (client) => recordProof(client, record), {
      applicationName: 'holdfast prove',
    });
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  }
}

function refuseInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'this run',
    what: 'it was stopped before every proof was done; those that were are recorded.',
    fix: 'Run it again.',
  });
}

/**
 * What the ledger has of the last time each proof of the definition was run.
 * @throws HoldfastError HF_NOT_PROVED when it has nothing
 */
export async function lastTime(subject: Subject, asked: Asked): Promise<Outcome> {
  const definition = subject.loaded?.definition.name;
  const kept =
    definition === undefined
      ? []
      : await withClient(subject.url, async (client) => proofs(client, { definition, newest: true }));
  const records = kept.filter(
    ({ evidence }) => asked.proofs.length === 0 || asked.proofs.includes(evidence.proof),
  );
  if (records.length > 0)
    return { records: records.toReversed(), again: commandLine(subject, asked), notes: [], failed: false };
  throw new HoldfastError({
    code: 'HF_NOT_PROVED',
    subject: definition === undefined ? 'a database without a definition' : `definition ${definition}`,
    what:
      definition === undefined
        ? 'nothing about it is kept: it is never written.'
        : 'the ledger of this database has no record of it.',
    fix: 'Run `holdfast prove` without --last; --html or --json keeps what it sees in a file.',
  });
}

function commandLine(subject: Subject, asked: Asked): string {
  const { column, setting, roles = [] } = asked.hints;
  const words = [
    ...asked.proofs,
    ...(asked.definition === undefined ? [] : [asked.definition]),
    ...(subject.loaded === undefined ? [redact(subject.url)] : ['--url', redact(subject.url)]),
    ...(column === undefined ? [] : ['--column', column]),
    ...(setting === undefined ? [] : ['--setting', setting]),
    ...roles.flatMap((role) => ['--role', role]),
    ...(asked.only ?? []).flatMap((one) => ['--only', one]),
    ...(asked.scales ?? []).flatMap((one) => ['--at', String(one)]),
    ...(asked.serverUrl === undefined ? [] : ['--server', redact(asked.serverUrl)]),
  ];
  return `holdfast prove ${words.map(quoted).join(' ')}`;
}

/** As a shell reads it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
