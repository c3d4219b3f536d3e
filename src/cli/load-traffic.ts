// Loads the traffic of a replay, which stands beside the definition it is for.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import { HoldfastError } from '../error.ts';
import type { Traffic } from '../prove/index.ts';

const FILES = ['lapse.ts', 'lapse.mts', 'lapse.js', 'lapse.mjs'];

/**
 * Imports the module whose default export (or export called `traffic`) writes the rows of a replay: a {@link Traffic}, or
 * a function that gives one anew for each replay.
 * @param path the file; absent: lapse.ts (or .mts, .js, .mjs) in the definition's folder
 * @throws HoldfastError HF_LAPSE_TRAFFIC when there is no such file, it cannot be loaded or it exports no traffic
 */
export async function loadTraffic(
  path: string | undefined,
  from: { readonly cwd: string; readonly beside: string },
): Promise<Traffic> {
  const folder = dirname(from.beside);
  const candidates =
    path === undefined ? FILES.map((name) => resolve(folder, name)) : [resolve(from.cwd, path)];
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw refusal(path ?? folder, path === undefined ? `it has no ${FILES[0]}.` : 'there is no such file.');
  const jiti = createJiti(pathToFileURL(file).href, { interopDefault: true, fsCache: false });
  const loaded = await jiti.import<Record<string, unknown>>(file).catch((cause: unknown) => {
    if (cause instanceof Error && cause.name === 'HoldfastError') throw cause;
    throw refusal(
      file,
      `it could not be loaded: ${cause instanceof Error ? cause.message : String(cause)}.`,
      cause,
    );
  });
  const exported = loaded['default'] ?? loaded['traffic'] ?? loaded;
  const made: unknown = typeof exported === 'function' ? (exported as () => unknown)() : exported;
  if (isTraffic(made)) return made;
  throw refusal(file, 'it exports no traffic.');
}

function isTraffic(value: unknown): value is Traffic {
  return typeof value === 'object' && value !== null && 'write' in value && typeof value.write === 'function';
}

function refusal(subject: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_LAPSE_TRAFFIC',
    subject,
    what,
    fix: 'Write a module whose default export is a Traffic (see docs/guide/lapse.md), or name one with --traffic FILE.',
    cause,
  });
}
