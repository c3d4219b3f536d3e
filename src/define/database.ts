// The definition: the user's tables, free SQL beside them, and the promises about both.
import { HoldfastError } from '../error.ts';
import { checkModel } from './check.ts';
import { type Casing, expressions } from './drizzle/expression.ts';
import { readSchema } from './drizzle/schema.ts';
import type { Facet } from './facet.ts';
import type { Job, JobFacet } from './job.ts';
import { collectJobs } from './jobs.ts';
import { collectMeasures, type Measures } from './measures.ts';
import type { Model } from './model.ts';
import type { Accepted } from './proof.ts';
import { checkAccepted, collectProofs, type Proofs } from './proofs.ts';
import type { Diagnostic, Trait } from './trait.ts';

/** A schema module: the exports of the file that declares the tables. */
export type Tables = Readonly<Record<string, unknown>>;

/** What a user hands to {@link database}. `T` carries the types of the tables to whoever opens a session. */
export interface DatabaseOptions<T extends Tables = Tables> {
  /** A Drizzle pg-core schema: the module itself (`import * as tables from './tables.ts'`) or an object of its exports. */
  readonly tables?: T;
  /** What Drizzle cannot say, as values beside the tables: `on(orders, (t) => [unlogged()])`, `extension('btree_gist')`. */
  readonly facets?: readonly Facet[];
  /** Plain SQL files: globs relative to the file that calls `database`, see `baseUrl`. */
  readonly sql?: string | readonly string[];
  /** Where relative globs start: `import.meta.url` of the definition's file. Default: the folder of the loaded file. */
  readonly baseUrl?: string;
  readonly traits?: readonly Trait[];
  /** Jobs of the user's own, and the settings of those that traits fill: `job('refresh', { schedule: … })`. */
  readonly jobs?: readonly JobFacet[];
  /** drizzle-kit's `casing`, where columns without a name rely on it. Drizzle 1.0 sets it on each table instead. */
  readonly casing?: Casing;
  /**
   * Findings HF_NOT_LOWERED to live with, by their subject: what Drizzle drops without a word is dropped here with the
   * user's. Each becomes a note of the definition.
   */
  readonly leaveOut?: readonly string[];
  /**
   * Findings of `holdfast prove` to live with, each with the reason: they are shown as information, and fail nothing.
   * `{ code: 'HT705', subject: 'index notes_gin on shop.notes', because: 'only the system role searches by it' }`
   */
  readonly accept?: readonly Accepted[];
}

/** A database as its owner wants it: checked, with every trait built in. A value; nothing has been read or run yet. */
export interface Definition<T extends Tables = Tables> {
  readonly name: string;
  readonly tables: T;
  readonly sql: readonly string[];
  readonly baseUrl?: string;
  /** In the order their builds ran. */
  readonly traits: readonly Trait[];
  /** What the keeper does, by name. */
  readonly jobs: readonly Job[];
  /** What is measured of it, and when that is wrong. */
  readonly measures: Measures;
  /** What is to be shown on a real server. */
  readonly proofs: Proofs;
  /** Drizzle tables and facets as facts, before any trait. */
  readonly plain: Model;
  /** The same after every trait's `build`. */
  readonly model: Model;
  /** Findings that stop nothing: warnings and hints of checks. */
  readonly notes: readonly Diagnostic[];
}

/** What {@link database} throws: every mistake of the definition at once, also as values. */
export class DefinitionError extends HoldfastError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(name: string, diagnostics: readonly Diagnostic[]) {
    const count = diagnostics.length === 1 ? 'one mistake' : `${diagnostics.length} mistakes`;
    const lines = diagnostics.map((one) => `\n  ${one.subject}: ${one.what} ${one.fix} [${one.code}]`);
    super({
      code: 'HF_DEFINITION',
      subject: `definition ${name}`,
      what: `it has ${count}, and nothing was built.${lines.join('')}\n`,
      fix: diagnostics.length === 1 ? 'Mend it and try again.' : 'Mend them and try again.',
    });
    this.diagnostics = diagnostics;
  }
}

/**
 * Defines a database: reads a Drizzle schema unchanged, applies facets, then builds every trait in.
 * Pure: no server is asked and no file is read.
 * @param name names the definition in messages and in the ledger, not the database
 * @throws DefinitionError HF_DEFINITION with all mistakes found, each with code, subject, and what to do
 */
export function database<T extends Tables = Tables>(
  name: string,
  options: DatabaseOptions<T>,
): Definition<T> {
  const tables = options.tables ?? ({} as T);
  const read = expressions(options.casing);
  const schema = readSchema(tables, read);
  const empty: Model = { name, ...schema.model, statements: [] };
  const diagnostics = leaveOut(schema.diagnostics, options.leaveOut ?? []);
  const plain = (options.facets ?? []).reduce(
    (model, facet) => attempt(model, () => facet.apply(model, read), diagnostics),
    empty,
  );
  // A table that could not be read would show again as every reference to it.
  const whole = plain.tables.length === schema.tableCount;
  refuse(name, whole ? [...diagnostics, ...checkModel(plain)] : diagnostics);

  const traits = inOrder(name, options.traits ?? []);
  const model = traits.reduce((so, trait) => build(so, trait, diagnostics), plain);
  refuse(name, diagnostics);
  const last = checkModel(model);
  refuse(name, last);
  const { jobs, diagnostics: aboutJobs } = collectJobs(model, { traits, own: options.jobs ?? [] });
  const { diagnostics: aboutMeasures, ...measures } = collectMeasures(model, traits);
  const accept = options.accept ?? [];
  refuse(name, [...aboutJobs, ...aboutMeasures, ...checkAccepted(accept)]);
  return {
    name,
    tables,
    sql: [options.sql ?? []].flat(),
    ...(options.baseUrl !== undefined && { baseUrl: options.baseUrl }),
    traits,
    jobs,
    measures,
    proofs: collectProofs(model, [...traits, { name: 'database', proves: () => ({ accepted: accept }) }]),
    plain,
    model,
    notes: [...diagnostics, ...last].filter((one) => one.severity !== 'error'),
  };
}

function leaveOut(diagnostics: readonly Diagnostic[], subjects: readonly string[]): Diagnostic[] {
  const unused = subjects.filter((subject) => !diagnostics.some((one) => one.subject === subject));
  return [
    ...diagnostics.map((one): Diagnostic => {
      const known = one.code === 'HF_NOT_LOWERED' && subjects.includes(one.subject);
      return known ? { ...one, severity: 'warning' } : one;
    }),
    ...unused.map((subject): Diagnostic => ({
      code: 'HF_LEAVE_OUT',
      severity: 'error',
      subject,
      what: 'leaveOut names it, and there is nothing of that name to leave out.',
      fix: 'Take it out of leaveOut, or copy the subject as the error gives it.',
    })),
  ];
}

function refuse(name: string, diagnostics: readonly Diagnostic[]): void {
  const errors = diagnostics.filter((one) => one.severity === 'error');
  if (errors.length > 0) throw new DefinitionError(name, errors);
}

function attempt(model: Model, change: () => Model, diagnostics: Diagnostic[]): Model {
  try {
    return change();
  } catch (error) {
    diagnostics.push(asDiagnostic(error));
    return model;
  }
}

// A trait that finds a mistake is not built, so that its build may trust the model; the others still have their say.
function build(model: Model, trait: Trait, diagnostics: Diagnostic[]): Model {
  const findings = trait.check?.(model) ?? [];
  diagnostics.push(...findings);
  const run = trait.build;
  if (run === undefined || findings.some((one) => one.severity === 'error')) return model;
  return attempt(model, () => run(model), diagnostics);
}

function asDiagnostic(error: unknown): Diagnostic {
  if (!(error instanceof HoldfastError)) throw error;
  return { code: error.code, severity: 'error', subject: error.subject, what: error.what, fix: error.fix };
}

// Each trait after those its `after` names; the user's order decides the rest.
function inOrder(name: string, traits: readonly Trait[]): Trait[] {
  const waiting = [...traits];
  const ordered: Trait[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex((trait) => !waits(trait, waiting));
    if (next === -1) throw new DefinitionError(name, [cycle(waiting)]);
    ordered.push(...waiting.splice(next, 1));
  }
  return ordered;
}

function waits(trait: Trait, waiting: readonly Trait[]): boolean {
  return waiting.some(
    (other) => other !== trait && other.name !== trait.name && trait.after?.includes(other.name),
  );
}

function cycle(traits: readonly Trait[]): Diagnostic {
  const names = [...new Set(traits.map((trait) => trait.name))];
  return {
    code: 'HF_TRAIT_ORDER',
    severity: 'error',
    subject: `traits ${names.join(', ')}`,
    what: 'each waits for another of them to be built first.',
    fix: "Take one name out of a trait's `after`.",
  };
}
