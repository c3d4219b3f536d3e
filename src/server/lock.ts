// One process at a time prepares or starts the server of a folder. The lock is a file that names its owner by number
// and birth; one whose owner is gone is taken over. It only orders starters: against two servers on one data folder
// PostgreSQL has its own lock, and a folder is initialised aside and renamed, so a lock lost to a race breaks nothing.
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../error.ts';
import { serverFailure } from './failure.ts';
import { bornAt } from './processes.ts';

const POLL_MS = 25;

interface Owner {
  readonly pid: number;
  readonly born: string;
  readonly nonce: string;
}

/**
 * Runs `fn` while holding the lock of a folder.
 * @param folder exists and can be written
 * @param waitMs how long another owner may take, in milliseconds
 * @throws HoldfastError HF_EMBEDDED_BUSY when the lock is still held after `waitMs`; what `fn` throws
 */
export async function withLock<T>(folder: string, waitMs: number, fn: () => Promise<T>): Promise<T> {
  const at = join(folder, 'lock');
  const nonce = randomBytes(8).toString('hex');
  const draft = `${at}.${nonce}`;
  const mine: Owner = { pid: process.pid, born: (await bornAt(process.pid)) ?? '', nonce };
  try {
    await writeFile(draft, JSON.stringify(mine), { mode: 0o600 });
    await acquire(at, draft, Date.now() + waitMs);
  } catch (error) {
    throw serverFailure(`folder ${folder}`, (error as Error).message, error);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  try {
    return await fn();
  } finally {
    if ((await readOwner(at))?.nonce === nonce) await unlink(at);
  }
}

// A hard link appears with its content or not at all, so nobody ever reads half an owner.
async function acquire(at: string, draft: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      await link(draft, at);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    }
    const owner = await readOwner(at);
    if (owner !== undefined && (await bornAt(owner.pid)) !== owner.born) await takeAway(at, owner);
    else if (Date.now() > deadline) throw busy(owner);
    else await pause(POLL_MS);
  }
}

// Moved aside before it is deleted: if another process replaced the dead lock meanwhile, its live one is put back.
async function takeAway(at: string, dead: Owner): Promise<void> {
  const aside = `${at}.${dead.nonce}.dead-${randomBytes(4).toString('hex')}`;
  try {
    await rename(at, aside);
    if ((await readOwner(aside))?.nonce !== dead.nonce) await link(aside, at);
  } catch {
    // Another process was faster; the caller looks again.
  }
  await unlink(aside).catch(() => undefined);
}

async function readOwner(at: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(at, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function busy(owner: Owner | undefined): HoldfastError {
  return new HoldfastError({
    code: 'HF_EMBEDDED_BUSY',
    subject: 'the embedded server',
    what: `process ${owner?.pid ?? '?'} has been preparing it for too long.`,
    fix: 'Wait for that process or end it, then start again.',
  });
}
