// Runs rules over small catalogues in the tests.

import { Readable } from 'node:stream';
import { expect } from 'vitest';
import {
  columnsOf,
  openCatalogue,
  type Catalogue,
  type CatalogueRow,
  type OpenOptions,
} from '../catalogue/index.ts';
import { compileRules, runRules } from '../rules/index.ts';
import type { CompiledPlan, Correction, RuleBatch, RunOptions, Violation } from '../rules/index.ts';

/** A rule with an id and a message, for tests that are about something else. */
export function rule(parts: object): object {
  return { id: 'rule_1', field: 'title', message: 'Not right.', ...parts };
}

/** The plan of rules that must compile. */
export function planOf(rules: readonly object[], mapping: object = {}): CompiledPlan {
  const { plan, errors } = compileRules(rules, mapping);
  expect(errors).toEqual([]);
  return plan as CompiledPlan;
}

/** `path message` of everything wrong with the rules. */
export function refusals(...rules: unknown[]): string[] {
  const { plan, errors } = compileRules(rules);
  expect(plan === null).toBe(errors.length > 0);
  return errors.map((error) => `${error.path} ${error.message}`.trim());
}

/** Rows as the reader gives them, under the header of the first list. */
export function table(...lines: readonly (readonly string[])[]): {
  rows: CatalogueRow[];
  options: RunOptions;
} {
  const [header = [], ...data] = lines;
  const rows = data.map((cells, i) => ({ recordNumber: i + 1, line: i + 2, cells: [...cells] }));
  return { rows, options: { columns: columnsOf(header) } };
}

/** Everything a run gives, batches joined. */
export interface Outcome {
  readonly cells: string[][];
  readonly violations: Violation[];
  readonly corrections: Correction[];
  readonly batches: RuleBatch[];
}

/** Runs to the end. */
export async function runAll(
  plan: CompiledPlan,
  rows: AsyncIterable<CatalogueRow> | Iterable<CatalogueRow>,
  options: RunOptions,
): Promise<Outcome> {
  const batches: RuleBatch[] = [];
  for await (const batch of runRules(plan, rows, options)) batches.push(batch);
  return {
    cells: batches.flatMap((batch) => batch.rows.map((row) => [...row.cells])),
    violations: batches.flatMap((batch) => batch.violations),
    corrections: batches.flatMap((batch) => batch.corrections),
    batches,
  };
}

/** Which values of one field break a rule. */
export async function breaking(parts: object, values: readonly string[]): Promise<string[]> {
  const { rows, options } = table(['title'], ...values.map((value) => [value]));
  const { violations } = await runAll(planOf([rule(parts)]), rows, options);
  return violations.map((violation) => violation.originalValue ?? '(no column)');
}

/** What a transform makes of each value; null where it makes nothing. */
export async function fixing(parts: object, values: readonly string[]): Promise<(string | null)[]> {
  const { rows, options } = table(['title'], ...values.map((value) => [value]));
  const { corrections } = await runAll(planOf([rule({ action: 'transform', ...parts })]), rows, options);
  const found = new Map(
    corrections.map((correction) => [correction.recordNumber, correction.correctedValue]),
  );
  return values.map((_, i) => found.get(i + 1) ?? null);
}

/** Opens bytes as an upload; the test closes it. */
export function upload(content: string | Buffer, options: OpenOptions = {}): Promise<Catalogue> {
  return openCatalogue(Readable.from([Buffer.from(content as string)]), options);
}

/** All rows of an upload, closed again. */
export async function readAll(content: string | Buffer, options: OpenOptions = {}): Promise<CatalogueRow[]> {
  const catalogue = await upload(content, options);
  try {
    const rows: CatalogueRow[] = [];
    for await (const row of catalogue.rows()) rows.push(row);
    return rows;
  } finally {
    await catalogue.close();
  }
}

/** The cells of all rows of an upload. */
export async function cellsOf(content: string | Buffer, options: OpenOptions = {}): Promise<string[][]> {
  return (await readAll(content, options)).map((row) => [...row.cells]);
}
