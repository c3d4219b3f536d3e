// What `holdfast prove` is asked to do, read from its command line: proofs, a definition, a database.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { flag, type Invocation, list, text } from './command.ts';
import { PROOFS } from './proofs.ts';

/** What was asked for. */
export interface Asked {
  /** Names of proofs, in the order they run; empty: all that apply. */
  readonly proofs: readonly string[];
  /** The file of the definition, where one is named. */
  readonly definition?: string;
  /** A database that was named as an argument: known by its URL alone unless a definition is named beside it. */
  readonly url?: string;
  readonly hints: {
    readonly column?: string;
    readonly setting?: string;
    readonly roles?: readonly string[];
  };
  readonly only?: readonly string[];
  /** Sizes of budgets, as multiples of what they state. */
  readonly scales?: readonly number[];
  readonly serverUrl?: string;
  /** Plan the mends of traps, and where to write the plan. */
  readonly fix: boolean;
  readonly out?: string;
}

const URLS = ['postgres://', 'postgresql://'];

/**
 * Reads the arguments.
 * @returns what is asked for, or why the command line is wrong
 */
export function readArguments(invocation: Invocation): Asked | { readonly misused: string } {
  const { positionals, cwd } = invocation;
  const urls = positionals.filter(isUrl);
  const names = positionals.filter((word) => PROOFS.some(({ name }) => name === word));
  const rest = positionals.filter((word) => !isUrl(word) && !names.includes(word));
  const unknown = rest.find((word) => /^[a-z-]+$/.test(word) && !existsSync(resolve(cwd, word)));
  if (unknown !== undefined)
    return {
      misused: `there is no proof '${unknown}'; they are ${PROOFS.map(({ name }) => name).join(', ')}`,
    };
  if (rest.length > 1) return { misused: `it proves one definition, not ${rest.join(' and ')}` };
  const given = text(invocation, 'url');
  if (urls.length > 1 || (urls.length === 1 && given !== undefined))
    return { misused: 'it proves one database, and more than one is named' };
  const [definition] = rest;
  const [url] = urls;
  const only = list(invocation, 'only').flatMap((codes) => codes.split(','));
  const sizes = list(invocation, 'at').flatMap((some) => some.split(','));
  const wrong = sizes.find((size) => !/^\d+(\.\d+)?$/.test(size) || Number(size) === 0);
  if (wrong !== undefined) return { misused: `--at takes multiples such as 1 or 3, not ${wrong}` };
  const serverUrl = text(invocation, 'server');
  const [fix, out] = [flag(invocation, 'fix'), text(invocation, 'out')];
  if (out !== undefined && !fix) return { misused: '--out is for the plan of --fix' };
  if (fix && names.length > 0 && !names.includes('traps')) return { misused: '--fix mends traps alone' };
  return {
    proofs: PROOFS.map(({ name }) => name).filter((name) => names.includes(name)),
    ...(definition !== undefined && { definition }),
    ...(url !== undefined && { url }),
    hints: hints(invocation),
    fix,
    ...(out !== undefined && { out }),
    ...(only.length > 0 && { only }),
    ...(sizes.length > 0 && { scales: sizes.map(Number) }),
    ...(serverUrl !== undefined && { serverUrl }),
  };
}

function isUrl(word: string): boolean {
  return URLS.some((scheme) => word.startsWith(scheme));
}

function hints(invocation: Invocation): Asked['hints'] {
  const [column, setting, roles] = [
    text(invocation, 'column'),
    text(invocation, 'setting'),
    list(invocation, 'role'),
  ];
  return {
    ...(column !== undefined && { column }),
    ...(setting !== undefined && { setting }),
    ...(roles.length > 0 && { roles }),
  };
}
