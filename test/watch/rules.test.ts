// The rules as Prometheus reads them, and every case as Prometheus runs it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { database, type Definition } from '../../src/define/index.ts';
import type { AlertRule } from '../../src/define/measure.ts';
import { alertRules, alertTests, rulesOf } from '../../src/watch/index.ts';
import { yaml } from '../../src/watch/yaml.ts';
import { everyTrait } from './every-trait.ts';
import { promtool, run } from './promtool.ts';
import { firing, quiet, rule, sized, watched, watching } from './stage.ts';

/** Writes rules and tests as the command line does; gives the two files. */
function written(definition: Definition): { readonly rules: string; readonly tests: string } {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast rules '));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const [rules, tests] = [join(dir, 'holdfast.rules.yml'), join(dir, 'tests.yml')];
  writeFileSync(rules, alertRules(definition));
  writeFileSync(tests, alertTests(definition, 'holdfast.rules.yml'));
  return { rules, tests };
}

describe.skipIf(!promtool.there)(`promtool${promtool.there ? '' : ` (${promtool.missing})`}`, () => {
  test.each([
    ['a definition of one trait', () => watched(sized('a'), sized('b'))],
    ['a definition of every trait', everyTrait],
    ['a definition without jobs, with an awkward name', () => database('my "shop" \\ 1 {}', { traits: [] })],
  ])('finds the rules of %s clean, and every case does as it says', (_, of) => {
    const definition = of();
    const { rules, tests } = written(definition);
    const checked = run(['check', 'rules', rules]);
    expect(checked).toEqual({
      code: 0,
      says: `Checking ${rules}\n  SUCCESS: ${rulesOf(definition).length} rules found\n\n`,
    });
    expect(run(['test', 'rules', tests])).toEqual({
      code: 0,
      says: `Unit Testing:  ${tests}\n  SUCCESS\n\n`,
    });
  });

  test.each<[string, Partial<AlertRule>]>([
    ['fires when it should be quiet', { expr: 'holdfast_sizes_bytes > 0' }],
    ['is quiet when it should fire', { expr: 'holdfast_sizes_bytes > 1000' }],
    ['fires for another relation', { cases: [{ ...firing, fires: [{ relation: 'b' }] }, quiet] }],
  ])('catches a rule that %s', (_, change) => {
    const { tests } = written(watched(watching('sizes', { alerts: [{ ...rule, ...change }] })));
    const { code, says } = run(['test', 'rules', tests]);
    expect(code).toBe(1);
    expect(says).toContain('alertname: HoldfastSizesGrown');
  });
});

const names = (definition: Definition): string[] => rulesOf(definition).map(({ name }) => name);

test('rules about jobs are written only where there are jobs', () => {
  expect(names(watched())).toContain('HoldfastKeeperMissing');
  expect(names(database('shop', {}))).toEqual([
    'HoldfastScrapeFailing',
    'HoldfastNotScraped',
    'HoldfastDatabaseDown',
    'HoldfastCollectorDown',
    'HoldfastLedgerGone',
    'HoldfastPlanUnfinished',
    'HoldfastProofBroken',
  ]);
});

test('what is written reads back as it was', () => {
  const value = {
    text: 'a: "b" \\ {{ $labels.x }} # é 😀 \u2028 \t\n end',
    'odd key: 1': ['- x', '', 'null', 'true', '0x1', []],
    empty: {},
    nested: [{ a: [{ b: 1, c: ['d'] }], e: 'f' }, 2.5],
  };
  expect(parse(yaml(value))).toEqual(value);
  expect(yaml({ a: ['b'] })).toBe('a:\n  - "b"\n');
});
