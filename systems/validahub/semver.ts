// Versions of rule sets: read strictly, ordered by number. Text order puts 1.10.0 before 1.9.0 and 2.0.0 before
// 2.0.0-rc.1; SemVer 2.0.0, section 11 does not.

import semver from 'semver';
import type { CompatibilityLevel } from './rules/compatibility.ts';

/** A version in parts, as `rule_versions` keeps it. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Without the leading `-`; null for a release. */
  readonly prerelease: string | null;
  /** The parts joined: `1.10.0-rc.1`. */
  readonly text: string;
}

// A column of type int holds no more.
const NUMBER_LIMIT = 2_147_483_647;

/**
 * Reads a version; null when it is none. Strict: three numbers without leading zeros, no `v`, no build metadata
 * (two versions that differ in it alone would be equal), prerelease of at most 50 characters.
 */
export function parseVersion(text: string): Version | null {
  const parsed = text.includes('+') ? null : semver.parse(text);
  if (parsed === null || parsed.version !== text) return null;
  const { major, minor, patch } = parsed;
  if (Math.max(major, minor, patch) > NUMBER_LIMIT) return null;
  // Longer numbers are compared as floats below, where two different ones may be equal.
  if (/(?:^|\.|-)\d{16,}(?:\.|$)/.test(text)) return null;
  const prerelease = parsed.prerelease.length === 0 ? null : parsed.prerelease.join('.');
  return (prerelease ?? '').length > 50 ? null : { major, minor, patch, prerelease, text };
}

/** Order of two versions by SemVer precedence: -1, 0 or 1. A prerelease comes before its release. */
export function compareVersions(a: Version, b: Version): -1 | 0 | 1 {
  return semver.compare(a.text, b.text);
}

/** The highest version of a list; null for an empty one. */
export function highestVersion(versions: readonly Version[]): Version | null {
  return versions.reduce<Version | null>(
    (best, version) => (best === null || compareVersions(version, best) > 0 ? version : best),
    null,
  );
}

/**
 * What the number says of a change: the first part that differs, null when `next` is not higher. A release after
 * its own prerelease raises nothing and counts as a patch.
 */
export function raisedPart(previous: Version, next: Version): CompatibilityLevel | null {
  if (compareVersions(next, previous) <= 0) return null;
  if (next.major !== previous.major) return 'major';
  return next.minor !== previous.minor ? 'minor' : 'patch';
}

/** The release that follows when that part is raised. */
export function nextVersion(after: Version, raised: CompatibilityLevel): Version {
  const major = after.major + (raised === 'major' ? 1 : 0);
  const minor = raised === 'major' ? 0 : after.minor + (raised === 'minor' ? 1 : 0);
  const patch = raised === 'patch' ? after.patch + 1 : 0;
  return { major, minor, patch, prerelease: null, text: `${major}.${minor}.${patch}` };
}

const WEIGHT: Readonly<Record<CompatibilityLevel, number>> = { patch: 0, minor: 1, major: 2 };

/** Whether a number raised like that may carry a change of that class. */
export function allows(raised: CompatibilityLevel, asked: CompatibilityLevel): boolean {
  return WEIGHT[raised] >= WEIGHT[asked];
}

/**
 * A key whose byte order is SemVer precedence (compare it with `COLLATE "C"`), for ORDER BY on any server:
 * numbers carry their length in front, a release ends in `~`, which is above every prerelease.
 */
export function sortKey(version: Version): string {
  const numbers = [version.major, version.minor, version.patch].map(numberKey).join('.');
  if (version.prerelease === null) return `${numbers}~`;
  const identifiers = version.prerelease.split('.').map(identifierKey);
  return `${numbers}-${identifiers.join('')}`;
}

function numberKey(value: number): string {
  const digits = String(value);
  return `${String(digits.length).padStart(2, '0')}${digits}`;
}

// `!` is below every identifier character, so that a shorter list comes first; numbers come before words.
function identifierKey(identifier: string): string {
  if (!/^\d+$/.test(identifier)) return `!a${identifier}`;
  return `!0${String(identifier.length).padStart(2, '0')}${identifier}`;
}
