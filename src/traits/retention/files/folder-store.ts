// A folder as a store: a draft beside its place, fsync, then a link that refuses to overwrite, then fsync of the folder.
import { randomBytes } from 'node:crypto';
import { link, lstat, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { HoldfastError } from '../../../error.ts';
import { type Draft, sha256Of, type Store, storeFailed, taken } from './store.ts';

const FOLDER_MODE = 0o700;
const DRAFT = '.draft';

/**
 * A local folder (or a mounted one) as a store. Folders are made for their owner alone, and so are files.
 * @param folder absolute, or relative to the working directory
 */
export function folderStore(folder: string): Store {
  const root = resolve(folder);
  const store = { shown: root };
  const place = (path: string): string => {
    const full = resolve(root, path);
    if (full === root || full.startsWith(root + sep)) return full;
    throw new HoldfastError({
      code: 'HF_ARCHIVE_STORE',
      subject: `archive ${root}`,
      what: `${JSON.stringify(path)} leads out of it.`,
      fix: 'Use the paths that `holdfast archive list` shows.',
    });
  };
  return {
    shown: root,
    draft: async (path) =>
      attempt(store, { path, doing: 'ready a place for' }, async () => {
        const full = place(path);
        await makeFolders(dirname(full));
        const file = join(dirname(full), `.${baseOf(path)}.${randomBytes(6).toString('hex')}${DRAFT}`);
        return { file, done: async () => rm(file, { force: true }) };
      }),
    put: async (path, draft) =>
      attempt(store, { path, doing: 'store' }, async () => settle(store, { path, full: place(path), draft })),
    get: async (path) =>
      attempt(store, { path, doing: 'read' }, async () => {
        const file = place(path);
        return (await isFile(file)) ? { file, done: async () => undefined } : undefined;
      }),
    list: async (path) =>
      attempt(store, { path, doing: 'list' }, async () => (await filesBelow(place(path), path)).sort()),
    remove: async (path) =>
      attempt(store, { path, doing: 'remove' }, async () => {
        await rm(place(path), { force: true });
        await flushFolder(dirname(place(path)));
        await withoutEmpty(root, dirname(place(path)));
      }),
    tidy: async (path) =>
      attempt(store, { path, doing: 'tidy' }, async () => {
        for (const name of await namesIn(place(path)))
          if (name.startsWith('.') && name.endsWith(DRAFT))
            await rm(join(place(path), name), { force: true });
      }),
  };
}

async function settle(
  store: Pick<Store, 'shown'>,
  one: { readonly path: string; readonly full: string; readonly draft: Draft },
): Promise<void> {
  const { path, full, draft } = one;
  const handle = await open(draft.file, 'r');
  await handle.sync().finally(async () => handle.close());
  try {
    // rename() would replace what is there; link() refuses, and the file is whole from the first moment it has its name.
    await link(draft.file, full);
  } catch (error) {
    if (codeOf(error) === 'EPERM' && !(await isFile(full))) return withoutLink(draft, full);
    if (codeOf(error) !== 'EEXIST') throw error;
    if ((await sha256Of(full)) !== (await sha256Of(draft.file))) throw taken(store, path);
  }
  await draft.done();
  await flushFolder(dirname(full));
}

// Some mounted file systems have no links. There the keeper's lease alone stands between two writers of one name.
async function withoutLink(draft: Draft, full: string): Promise<void> {
  await rename(draft.file, full);
  await flushFolder(dirname(full));
}

async function flushFolder(path: string): Promise<void> {
  let handle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await handle.sync().finally(async () => handle.close());
}

async function filesBelow(full: string, path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(full)) {
    const at = join(full, name);
    const inner = path === '' ? name : `${path}/${name}`;
    const entry = await lstat(at);
    if (entry.isDirectory()) found.push(...(await filesBelow(at, inner)));
    else if (entry.isFile() && !name.endsWith(DRAFT)) found.push(inner);
  }
  return found;
}

async function namesIn(full: string): Promise<readonly string[]> {
  try {
    return await readdir(full);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function isFile(full: string): Promise<boolean> {
  try {
    return (await lstat(full)).isFile();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

// Folders of removed pieces go as far up as they are empty; a run that puts something there at this moment wins.
async function withoutEmpty(root: string, from: string): Promise<void> {
  for (let at = from; at !== root && at.startsWith(root + sep); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return;
    }
  }
}

async function attempt<T>(
  store: Pick<Store, 'shown'>,
  what: { readonly path: string; readonly doing: string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw storeFailed(store, what.path, { doing: what.doing, reason, cause: error });
  }
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/**
 * Level by level: where a file system refuses new folders with ENOENT, as /proc does, mkdir's own `recursive` tries for
 * ever.
 */
async function makeFolders(folder: string): Promise<void> {
  const missing: string[] = [];
  let at = folder;
  while (!(await exists(at)) && dirname(at) !== at) {
    missing.push(at);
    at = dirname(at);
  }
  for (const one of missing.toReversed()) {
    await mkdir(one, { mode: FOLDER_MODE }).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  });
  return found !== undefined;
}
