import { describe, expect } from 'vitest';
import { test } from '../../../test/cluster/index.ts';
import {
  allows,
  compareVersions,
  highestVersion,
  parseVersion,
  raisedPart,
  sortKey,
  type Version,
} from '../semver.ts';
import { seeded } from './random.ts';

const version = (text: string): Version => {
  const parsed = parseVersion(text);
  if (parsed === null) throw new Error(`${text} must be a version.`);
  return parsed;
};

const raised = (a: string, b: string): string | null => raisedPart(version(a), version(b));

// SemVer 2.0.0, section 11, and the numbers that text order gets wrong.
const ASCENDING = [
  '0.9.0',
  '1.0.0-0',
  '1.0.0-2',
  '1.0.0-10',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-alpha-x',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.2.0',
  '1.9.0',
  '1.10.0',
  '2.0.0-rc.1',
  '2.0.0',
  '10.0.0',
];

describe('versions', () => {
  test('are read strictly', () => {
    expect(parseVersion('1.10.0-rc.1')).toEqual({
      major: 1,
      minor: 10,
      patch: 0,
      prerelease: 'rc.1',
      text: '1.10.0-rc.1',
    });
    const wrong = [
      '1',
      '1.2',
      '01.2.3',
      'v1.2.3',
      ' 1.2.3',
      '1.2.3+build',
      '1.2.3-',
      '1.2.3-01',
      '-1.2.3',
      '',
      '1.2.x',
    ];
    const tooLarge = ['2147483648.0.0', `1.0.0-${'a'.repeat(51)}`, '1.0.0-1234567890123456'];
    for (const text of [...wrong, ...tooLarge]) expect([text, parseVersion(text)]).toEqual([text, null]);
    expect(parseVersion('2147483647.0.0')).not.toBeNull();
  });

  test('are ordered by number', () => {
    const shuffled = [...ASCENDING].sort().map(version);
    expect(shuffled.sort(compareVersions).map((v) => v.text)).toEqual(ASCENDING);
    expect(highestVersion(['1.9.0', '1.10.0', '1.10.0-rc.1'].map(version))?.text).toBe('1.10.0');
    expect(highestVersion([])).toBeNull();
  });

  test('sort keys have the same order on a server, where the text itself has not', async ({ db }) => {
    const rows = ASCENDING.map((text) => ({ text, key: sortKey(version(text)) }));
    const sorted = await db.query<{ by_key: string[]; by_text: string[] }>(
      `SELECT array_agg(v->>'text' ORDER BY v->>'key' COLLATE "C") AS by_key,
              array_agg(v->>'text' ORDER BY v->>'text' COLLATE "C") AS by_text
         FROM jsonb_array_elements($1::jsonb) AS v`,
      [JSON.stringify([...rows].reverse())],
    );
    expect(sorted[0]?.by_key).toEqual(ASCENDING);
    expect(sorted[0]?.by_text).not.toEqual(ASCENDING);
    expect(sorted[0]?.by_text.indexOf('1.10.0')).toBeLessThan(sorted[0]?.by_text.indexOf('1.9.0') ?? -1);
  });

  test('sort keys agree with precedence for any two versions', () => {
    const random = seeded(17);
    const identifiers = ['0', '1', '9', '10', '99', 'a', 'A', 'alpha', 'alpha-', 'rc', 'x1', '1x', '-'];
    const any = (): Version => {
      const numbers = [0, 0, 0].map(() => random.pick([0, 1, 2, 9, 10, 99, 100])).join('.');
      const parts = Array.from({ length: random.below(4) }, () => random.pick(identifiers));
      return version(parts.length === 0 ? numbers : `${numbers}-${parts.join('.')}`);
    };
    for (let i = 0; i < 5_000; i += 1) {
      const [a, b] = [any(), any()];
      const [keyA, keyB] = [sortKey(a), sortKey(b)];
      expect([a.text, b.text, keyA < keyB ? -1 : keyA > keyB ? 1 : 0]).toEqual([
        a.text,
        b.text,
        compareVersions(a, b),
      ]);
    }
  });

  test('say how much they raise, and what that allows', () => {
    expect(raised('1.9.0', '1.10.0')).toBe('minor');
    expect(raised('1.9.9', '2.0.0-rc.1')).toBe('major');
    expect(raised('1.9.0', '1.9.1')).toBe('patch');
    expect(raised('2.0.0-rc.1', '2.0.0')).toBe('patch');
    expect(raised('1.10.0', '1.9.0')).toBeNull();
    expect(raised('1.0.0', '1.0.0-rc.1')).toBeNull();
    expect([allows('minor', 'major'), allows('minor', 'minor'), allows('major', 'patch')]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
