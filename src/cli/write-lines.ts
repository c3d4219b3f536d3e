// A file that is written line by line and there whole or not at all.
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../error.ts';

/** A file to be. */
export interface LineFile {
  readonly add: (line: string) => Promise<void>;
  /** Flushes it and gives it its name. What stood there before is replaced at that moment. */
  readonly finish: () => Promise<void>;
  /** Leaves no trace; does nothing once it is finished. */
  readonly abandon: () => Promise<void>;
}

const BUFFERED = 1 << 20;
// It holds what one person may ask for: nobody else on this machine reads it.
const OWNER_ONLY = 0o600;

/**
 * Opens a file beside the place where it will be.
 * @throws HoldfastError HF_WRITE_FILE when it cannot be written there
 */
export async function writeLines(path: string): Promise<LineFile> {
  const hidden = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const tried = async <T>(work: () => Promise<T>): Promise<T> =>
    work().catch((cause: unknown) => {
      throw refusal(path, cause);
    });
  const file = await tried(() => open(hidden, 'wx', OWNER_ONLY));
  let closed = false;
  let waiting = '';
  const flush = async (): Promise<void> => {
    const text = waiting;
    waiting = '';
    await tried(() => file.appendFile(text));
  };
  return {
    add: async (line) => {
      waiting += line;
      if (waiting.length >= BUFFERED) await flush();
    },
    finish: async () => {
      await flush();
      await tried(async () => {
        await file.sync();
        await file.close();
        await rename(hidden, path);
      });
      closed = true;
    },
    abandon: async () => {
      if (closed) return;
      closed = true;
      await file.close().catch(() => undefined);
      await rm(hidden, { force: true });
    },
  };
}

function refusal(path: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_WRITE_FILE',
    subject: path,
    // Without what follows the first comma: the name it has until it is whole.
    what: `it cannot be written: ${cause instanceof Error ? cause.message.split(',')[0] : String(cause)}.`,
    fix: 'Name a file in a folder that is there and may be written to.',
    cause,
  });
}
