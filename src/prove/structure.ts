// Shows that a server's structure is the definition's: no difference is found, and a plan between the two has nothing to do.
import { drift, type Difference, type Drift, plan, type Plan, type PlanOptions } from '../build/index.ts';
import type { Definition } from '../define/database.ts';
import type { Evidence, ProofProgress, Section } from './evidence.ts';

/** What a structure is proved with; the rest as of `drift` and `plan`, which it runs. */
export interface StructureOptions extends Omit<PlanOptions, 'onProgress' | 'allowDataLoss' | 'previous'> {
  readonly definition: Definition;
  /** The database; it is only read. */
  readonly url: string;
  readonly onProgress?: (progress: ProofProgress) => void;
}

/** What was found between a definition and a server. */
export interface Structure {
  readonly definition: Definition;
  readonly drift: Drift;
  /** What a plan would do; absent where differences say it already. */
  readonly steps: Plan['steps'];
  readonly durationMs: number;
}

/**
 * Compares a server with its definition twice: by the catalogue, and where that finds nothing by a whole plan, which
 * also refuses what it cannot manage. Changes nothing; works in scratch databases.
 * @throws HoldfastError as `drift` and `plan` do
 */
export async function proveStructure(options: StructureOptions): Promise<Structure> {
  const { definition, url, onProgress, ...rest } = options;
  const startedAt = performance.now();
  let done = 0;
  const tell = ({ stage }: { readonly stage: string }): void => {
    onProgress?.({ proof: 'structure', doing: stage, done });
  };
  const found = await drift(definition, url, { ...rest, onProgress: tell });
  done = 1;
  const steps =
    found.differences.length > 0 ? [] : (await plan(definition, url, { ...rest, onProgress: tell })).steps;
  return { definition, drift: found, steps, durationMs: Math.round(performance.now() - startedAt) };
}

/** What {@link proveStructure} found, to be shown and recorded. Pure. */
export function structureEvidence({ definition, drift: found, steps, durationMs }: Structure): Evidence {
  const { differences } = found;
  const held = differences.length === 0 && steps.length === 0;
  const { model } = definition;
  return {
    proof: 'structure',
    verdict: held ? 'held' : 'broken',
    line: held
      ? `${counted(model.tables.length, 'table')} and all beside them are as the definition says; a plan has nothing to do`
      : brokenLine(differences, steps),
    figures: {
      tables: model.tables.length,
      views: model.views.length,
      roles: model.roles.length,
      policies: model.tables.reduce((sum, table) => sum + table.policies.length, 0),
      differences: differences.length,
      planned_steps: steps.length,
      as_last_applied: found.asApplied === null ? 'nothing was applied' : found.asApplied ? 'yes' : 'no',
    },
    sections: sections(found, steps),
    durationMs,
  };
}

function brokenLine(differences: readonly Difference[], steps: Structure['steps']): string {
  const [first] = differences;
  if (first !== undefined)
    return `${counted(differences.length, 'difference')} between definition and server, first: ${first.sentence}`;
  return `a plan would still do ${counted(steps.length, 'step')}, first: ${steps[0]?.verb ?? ''} ${steps[0]?.subject ?? ''}`;
}

const KINDS = {
  missing: 'not on the server',
  unknown: 'not in the definition',
  different: 'different',
  'run-time': 'not there yet',
} as const;

function sections(found: Drift, steps: Structure['steps']): readonly Section[] {
  const shown: Section[] = [];
  if (found.differences.length > 0)
    shown.push({
      kind: 'table',
      title: 'What differs',
      columns: [{ name: 'object' }, { name: 'part' }, { name: 'how' }, { name: 'in words' }],
      rows: found.differences.map(({ object, facet, kind, sentence }) => ({
        cells: [object, facet === '' ? null : facet, KINDS[kind], sentence],
        verdict: 'broken',
      })),
    });
  if (steps.length > 0)
    shown.push({
      kind: 'table',
      title: 'What a plan would do',
      columns: [{ name: 'step' }, { name: 'does' }, { name: 'SQL' }],
      rows: steps.map(({ number, verb, subject, sql }) => ({
        cells: [number, `${verb} ${subject}`, sql],
        verdict: 'broken',
      })),
    });
  if (shown.length > 0)
    shown.push({
      kind: 'text',
      lines: ['`holdfast plan` shows what would bring the server to the definition, already rehearsed.'],
    });
  if (found.notes.length > 0)
    shown.push({
      kind: 'text',
      title: 'On the server beside the definition',
      lines: found.notes,
    });
  return shown;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
