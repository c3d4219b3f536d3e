// What can be told about another process by its number. Numbers are reused, so a number alone proves nothing: a
// process is known by its number and the moment it began.
import { execFile } from 'node:child_process';
import { readFile, readlink, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The moment a process began, in a form that differs between two processes of one number, across reboots too.
 * @returns undefined when no such process runs; a zombie counts as gone
 */
export async function bornAt(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return startedByPs(pid);
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The second field is the program's name in parentheses and may hold anything; the rest follows its last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    return state === 'Z' || state === 'X' ? undefined : `${boot.trim()}:${start}`;
  } catch {
    return undefined;
  }
}

/**
 * Whether a process is the postmaster of a data folder: a postmaster's working folder is its data folder.
 * @see https://www.postgresql.org/docs/current/storage-file-layout.html
 */
export async function isPostmasterOf(pid: number, dataDir: string): Promise<boolean> {
  if ((await bornAt(pid)) === undefined) return false;
  const folder = await realpath(dataDir).catch(() => dataDir);
  if (process.platform === 'linux') {
    return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === folder;
  }
  const command = await ps(pid, 'command=');
  return command !== undefined && command.includes('postgres') && command.includes(dataDir);
}

async function startedByPs(pid: number): Promise<string | undefined> {
  const found = await ps(pid, 'stat=,lstart=');
  return found === undefined || found.startsWith('Z') ? undefined : found.replace(/^\S+\s+/, '');
}

async function ps(pid: number, columns: string): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', columns], {
      env: { LC_ALL: 'C', TZ: 'UTC' },
    });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
