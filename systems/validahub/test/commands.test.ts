// The commands of the command line, over a ValidaHub that is open.
import { describe, expect } from 'vitest';
import { Readable } from 'node:stream';
import { COMMANDS, readCommand, runCommand } from '../commands.ts';
import { applyRules, type Hub } from '../operations/index.ts';
import { published, test } from './installed.ts';

const by = 'cli';

/** Runs a command line and gives what people read. */
async function say(hub: Hub, line: readonly string[]): Promise<readonly string[]> {
  const [name = '', ...args] = line;
  const { lines } = await runCommand(hub, name, readCommand(name, args));
  return lines;
}

/** Runs a command line and gives what programs read. */
async function give<Value>(hub: Hub, line: readonly string[]): Promise<Value> {
  const [name = '', ...args] = line;
  const { json, ...asked } = readCommand(name, [...args, '--json']);
  expect(json).toBe(true);
  const { value } = await runCommand(hub, name, asked);
  return JSON.parse(JSON.stringify(value)) as Value;
}

describe('the errand after check', () => {
  test('from what waits to a rule in a draft, in words', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const at = ['--tenant', tenant];
    const source = Readable.from([Buffer.from(`sku,title,brand\n${'1,Item,acme\n'.repeat(5)}`)]);
    await applyRules(hub, { tenant, source, rules: { setId }, by });
    const waiting = await say(hub, ['corrections', ...at]);
    expect(waiting[0]).toMatch(/^id +record {2}field {2}was +becomes {2}rule$/);
    expect(waiting).toHaveLength(6);
    expect(waiting[1]).toMatch(/"acme" {2}"Acme" {3}brand_listed$/);
    const ids = (await give<{ id: string }[]>(hub, ['corrections', ...at])).map((one) => one.id);
    expect(await say(hub, ['decide', 'accept', ...ids.slice(1), ...at])).toEqual(['4 accepted']);
    expect(await say(hub, ['decide', 'reject', ...ids.slice(0, 1), '--reason', 'no', ...at])).toEqual([
      '1 rejected',
    ]);
    expect(await say(hub, ['mine', ...at])).toEqual(['Nothing new was accepted often enough.']);
    const { suggestions } = await give<{ suggestions: { id: string; confidence: number }[] }>(hub, [
      'mine',
      '--min-confidence',
      '0.3',
      '--rules',
      ...at,
    ]);
    expect(suggestions).toMatchObject([{ confidence: 0.3755, accepted: 4, against: 1 }]);
    const [suggestion] = suggestions;
    expect((await say(hub, ['suggestions', ...at]))[1]).toContain('Write "Acme" for "acme" in brand');
    const accepted = await say(hub, ['accept', suggestion?.id ?? '', ...at]);
    expect(accepted[0]).toMatch(/^Rule learnt_brand_spelt is in version 1\.1\.0 \([0-9a-f-]{36}\)\.$/);
    const publish = /^Publish it to let it run: (publish [0-9a-f-]{36})$/.exec(accepted[1] ?? '')?.[1] ?? '';
    expect(await say(hub, [...publish.split(' '), ...at])).toEqual([
      expect.stringMatching(/^Version 1\.1\.0 is published and in its shadow until \d{4}-\d\d-\d\d\.$/),
    ]);
    await expect(say(hub, ['reject', suggestion?.id ?? '', '--reason', 'late', ...at])).rejects.toMatchObject(
      {
        code: 'HF_VALIDAHUB_CONFLICT',
      },
    );
    expect(await say(hub, ['suggestions', ...at])).toEqual(['No suggestion waits for a decision.']);
    expect(await say(hub, ['effectiveness', '--fresh', ...at])).toEqual([
      'rule          corrections  accepted  rejected  success  confidence',
      'brand_listed  5            4         1         80.0 %   0.9000',
      'From correction_logs, counted now.',
    ]);
    expect(await say(hub, ['top-fields', ...at])).toEqual(['Nothing broke.']);
  });
});

describe('words that cannot be meant', () => {
  const wrong: readonly (readonly [line: string, message: string])[] = [
    ['nothing', 'there is no command nothing.'],
    ['decide maybe 1', 'decide takes accept or reject, then ids or --batch.'],
    ['decide accept', 'decide takes accept or reject, then ids or --batch.'],
    ['accept', 'accept takes one id.'],
    ['accept a b', 'accept takes one id.'],
    ['reject a', '--reason is missing.'],
    ['mine --limit many', 'many is not a number.'],
    ['mine --speed 1', "Unknown option '--speed'"],
    ['effectiveness --from 2026-02-30', '2026-02-30 is not a day.'],
    ['effectiveness --channel ebay', 'there is no channel ebay.'],
    ['shadow end x', 'shadow takes activate or withdraw, then a version id.'],
    ['compare one', 'compare takes two rules.'],
  ];
  for (const [line, message] of wrong) {
    test(line, async ({ installed: { hub } }) => {
      const tried: unknown = await say(hub, line.split(' ')).catch((error: unknown) => error);
      expect(tried).toMatchObject({ code: 'HF_VALIDAHUB_USAGE', what: expect.stringContaining(message) });
    });
  }

  test('every command says how it is written', () => {
    for (const [name, { usage, summary }] of Object.entries(COMMANDS)) {
      expect(usage.split(' ')[0]).toBe(name);
      expect(summary).not.toBe('');
    }
  });
});
