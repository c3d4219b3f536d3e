// `holdfast lapse` as a user runs it: what it prints, what it writes, and how it says that a promise broke.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, inject } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { test } from '../cluster/index.ts';
import { wellFormed } from './well-formed.ts';

const PROJECT = resolve(import.meta.dirname, 'project');
const out = mkdtempSync(join(tmpdir(), 'lapse-command-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        written[name] += chunk.toString();
        done();
      },
    });
  const code = await main({
    argv: ['lapse', ...args],
    cwd: PROJECT,
    env: {},
    terminal: { out: into('out'), err: into('err'), colour: false, now: () => 0 },
    signal: new AbortController().signal,
    now: () => new Date(),
  });
  return { code, ...written };
}

const refusal = async (...args: string[]): Promise<string> => (await run(...args)).err;
const small = (): string[] => ['--server', inject('serverUrl'), '--rows-per-day', '4'];

const figures = async (seed: string): Promise<unknown> => {
  const [one] = JSON.parse((await run(...small(), '--days', '5', '--seed', seed, '--json')).out) as Record<
    string,
    unknown
  >[];
  return { ...one, tookMs: 0 };
};

describe('holdfast lapse', () => {
  test('prints a table and writes the timeline', async () => {
    const svg = join(out, 'timeline.svg');
    const ran = await run(...small(), '--days', '20', '--seed', '9', '--svg', svg);
    expect(ran.err).toBe('');
    expect(ran.code).toBe(0);
    const lines = ran.out.split('\n').map((line) => line.replaceAll(/\s{2,}/g, '  ').trim());
    expect(lines[0]).toMatch(
      /^held {2}lapse_project, plain: 20 days from 2026-01-15; 41 ticks, \d+ checks; \d+\.\d s, seed 9$/,
    );
    expect(lines).toContain('table  inserted  online  archived  deleted  left at  stayed to  room ahead');
    expect(lines.find((line) => line.startsWith('public.events'))).toMatch(
      /^public\.events {2}(\d+) {2}\1 {2}0 {2}0 {2}- {2}19\.5 days at most {2}89\.5 days at least$/,
    );
    expect(lines.find((line) => line.startsWith('partitions'))).toBe('partitions  21  0  1.3 h');
    const drawn = readFileSync(svg, 'utf8');
    expect(wellFormed(drawn)).toEqual([]);
    expect(drawn).toContain('public.events_y2026m05: ahead');
  });

  test('a broken promise ends it with the day, the check, both sides and the way to see it again', async () => {
    const ran = await run('thief.ts', ...small(), '--days', '30', '--seed', '3');
    expect(ran.code).toBe(1);
    const lines = ran.out.split('\n');
    expect(lines[0]).toMatch(/^BROKEN {2}lapse_thief, plain: 3 days from 2026-01-15; /);
    expect(lines).toContain(
      'day 2 (2026-01-17T13:00:00.000Z), table public.events: no row leaves early: expected 13 rows online that are too young to leave, found 12',
    );
    expect(lines).toContain(
      'again: holdfast lapse thief.ts --variant plain --from 2026-01-15 --days 3 --rows-per-day 4 --seed 3',
    );
  });

  test('the same seed gives the same replay', async () => {
    expect(await figures('4')).toEqual(await figures('4'));
  });

  test('options that make no sense are refused before anything is made', async () => {
    expect(await refusal('--variant', 'flood')).toContain('HF_LAPSE_VARIANT');
    expect(await refusal(...small(), '--days', 'ten')).toContain(
      'HF_LAPSE_OPTIONS --days\n  ten is no whole number.',
    );
    expect(await refusal(...small(), '--days', '0')).toContain('it is of 0 days.');
    expect(await refusal(...small(), '--from', '2026-02-30x')).toContain(
      'it does not begin at a midnight of UTC.',
    );
    expect(await refusal(...small(), '--traffic', 'none.ts')).toContain(
      'HF_LAPSE_TRAFFIC none.ts\n  there is no such file.',
    );
    expect(await refusal(...small(), '--traffic', 'holdfast.ts')).toContain('it exports no traffic.');
  });
});
