// Who the server runs as. PostgreSQL refuses to run as root, so root runs it under another account of the machine.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HoldfastError } from '../error.ts';

const run = promisify(execFile);

// In order: the account PostgreSQL's own packages make, then the one every system has.
const ACCOUNTS = ['postgres', 'nobody'];

/** An account of the machine that the server's processes and files belong to. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account the server must run under.
 * @returns undefined when we are not root: then the server runs as we do
 * @throws HoldfastError HF_SERVER_USER when we are root and the machine has neither `postgres` nor `nobody`
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ACCOUNTS) {
    const user = await account(name);
    if (user !== undefined && user.uid !== 0) return user;
  }
  throw new HoldfastError({
    code: 'HF_SERVER_USER',
    subject: 'user root',
    what: 'PostgreSQL does not run as root, and this machine has no user postgres or nobody to run it under.',
    fix: 'Create a user named postgres (useradd --system postgres), or start as an ordinary user.',
  });
}

/**
 * What `spawn` needs to run a program as that account; nothing where it is our own. libuv drops our supplementary
 * groups when it changes the user.
 */
export function asUser(user: ServerUser | undefined): { uid?: number; gid?: number } {
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}

/**
 * Whether an account can enter a folder. Asked of the kernel, by entering it as that account: modes of all parents,
 * access lists and mounts are in the answer.
 */
export async function canEnter(folder: string, user: ServerUser | undefined): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...asUser(user), cwd: '/' });
    return true;
  } catch {
    return false;
  }
}

async function account(name: string): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name])));
    return { name, uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  } catch {
    return undefined;
  }
}
