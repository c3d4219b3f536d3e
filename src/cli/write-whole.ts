// A file that is there whole or not at all: written under another name beside it, then renamed.
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../error.ts';

/** A file to be. */
export interface WholeFile {
  /** Writes it, and gives it its name. What stood there before is replaced at that moment. */
  readonly finish: (text: string) => Promise<void>;
  /** Leaves no trace; does nothing once it is finished. */
  readonly abandon: () => Promise<void>;
}

/**
 * Opens a file that gets its name when it is whole, so that what will not do (no folder, no right, a full disk) shows
 * before long work begins.
 * @param path where it will be
 * @throws HoldfastError HF_WRITE_FILE when it cannot be written there
 */
export async function writeWhole(path: string): Promise<WholeFile> {
  const hidden = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const file = await open(hidden, 'wx').catch((cause: unknown) => {
    throw refusal(path, cause);
  });
  let closed = false;
  const abandon = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await file.close().catch(() => undefined);
    await rm(hidden, { force: true });
  };
  return {
    finish: async (text) => {
      try {
        await file.writeFile(text);
        await file.sync();
        await file.close();
        await rename(hidden, path);
        closed = true;
      } catch (cause) {
        await abandon();
        throw refusal(path, cause);
      }
    },
    abandon,
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
