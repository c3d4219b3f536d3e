// postmaster.pid: what a data folder says of the server that runs on it, or ran when the machine went down.
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bornAt, isPostmasterOf } from './processes.ts';

// Larger than any system's largest process number.
const NOBODY = 2_147_483_647;

/** Who runs on a data folder. */
export type Postmaster =
  | { readonly state: 'running'; readonly pid: number; readonly port: number }
  /** No server: no file, or one whose process is gone, which PostgreSQL clears away by itself. */
  | { readonly state: 'none' }
  /** The file's process number now belongs to another program; PostgreSQL would refuse to start. */
  | { readonly state: 'reused' };

/** Reads postmaster.pid of a data folder and looks at the process it names. */
export async function postmasterOf(dataDir: string): Promise<Postmaster> {
  const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!Number.isInteger(pid) || pid <= 0 || (await bornAt(pid)) === undefined) return { state: 'none' };
  return (await isPostmasterOf(pid, dataDir)) ? { state: 'running', pid, port } : { state: 'reused' };
}

/**
 * Puts a process number that nobody has into postmaster.pid. The rest stays: by the shared memory it names, PostgreSQL
 * still refuses to start while backends of the dead server live.
 */
export async function disarm(dataDir: string): Promise<void> {
  const path = join(dataDir, 'postmaster.pid');
  const lines = (await readFile(path, 'utf8')).split('\n');
  const { uid, gid } = await stat(dataDir);
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile([String(NOBODY), ...lines.slice(1)].join('\n'));
    await file.chown(uid, gid);
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
