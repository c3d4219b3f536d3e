// The jobs of every definition there is: names, schedules, order; and that each has something to do.
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { globSync } from 'tinyglobby';
import { describe, expect, test } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import { dueAfter, scheduleMistakes } from '../../src/keep/index.ts';
import { groupsOf } from '../../src/keep/order.ts';

const SYSTEMS = resolve(import.meta.dirname, '../../systems');
const files = globSync('*/database.ts', { cwd: SYSTEMS });

const isDefinition = (value: unknown): value is Definition =>
  typeof value === 'object' && value !== null && 'jobs' in value && 'model' in value;

async function definitionsOf(file: string): Promise<readonly Definition[]> {
  const exports = (await import(pathToFileURL(resolve(SYSTEMS, file)).href)) as Record<string, unknown>;
  return Object.values(exports).filter(isDefinition);
}

describe('jobs', () => {
  test('there are definitions to look at', () => {
    expect(files.map((file) => dirname(file))).toContain('validahub');
  });

  test.each(files)('of %s can be read, are due some day and stand in one group each', async (file) => {
    const definitions = await definitionsOf(file);
    expect(definitions.length).toBeGreaterThan(0);
    for (const definition of definitions) {
      expect(scheduleMistakes(definition)).toEqual([]);
      for (const { name, settings, tasks } of definition.jobs) {
        expect(name).toMatch(/^[a-z][a-z0-9-]{0,59}$/);
        expect(tasks.length, name).toBeGreaterThan(0);
        expect(dueAfter(settings.schedule, new Date('2026-01-15T00:00:00Z')), name).toBeInstanceOf(Date);
      }
      const grouped = groupsOf(definition.jobs).flat();
      expect(grouped.toSorted()).toEqual(definition.jobs.map(({ name }) => name).toSorted());
    }
  });
});
