// What an archive needs of the place it lies in: five verbs. A folder and an S3-compatible bucket keep them.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { HoldfastError } from '../../../error.ts';

/** A place for files. Paths are relative, with `/` between names, and hold no `..`. */
export interface Store {
  /** Where it is, without credentials, as shown. */
  readonly shown: string;
  /** Readies a place on this machine's disk for a file that {@link put} will take. */
  readonly draft: (path: string) => Promise<Draft>;
  /**
   * Makes a draft the file of that path: whole or not at all, flushed before it is there. A file of the same bytes that is
   * there already is as good.
   * @throws HoldfastError HF_ARCHIVE_TAKEN when another file is there; HF_ARCHIVE_STORE when the store fails
   */
  readonly put: (path: string, draft: Draft) => Promise<void>;
  /** The file on this machine's disk: its own place, or a copy that `done` removes. Undefined when there is none. */
  readonly get: (path: string) => Promise<Draft | undefined>;
  /** Paths of all files below a folder, sorted; drafts are not among them. */
  readonly list: (folder: string) => Promise<readonly string[]>;
  /** Removes a file; one that is gone already is as good. */
  readonly remove: (path: string) => Promise<void>;
  /** Removes drafts that a cut-off run left for a folder. */
  readonly tidy: (folder: string) => Promise<void>;
}

/** A file on this machine's disk for a while. */
export interface Draft {
  readonly file: string;
  /** Removes it where it is only a copy or was not put; safe to call twice. */
  readonly done: () => Promise<void>;
}

/** SHA-256 of a file on this machine's disk, hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A store's failure in the toolkit's words. `what` and `cause` must be free of credentials. */
export function storeFailed(
  store: Pick<Store, 'shown'>,
  path: string,
  failure: { readonly doing: string; readonly reason: string; readonly cause?: unknown },
): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_STORE',
    subject: `archive ${store.shown}`,
    what: `it could not ${failure.doing} ${path}: ${failure.reason}.`,
    fix: 'Nothing was dropped; mend the store, and the next run goes on.',
    cause: failure.cause,
  });
}

/** Another file has the name. */
export function taken(store: Pick<Store, 'shown'>, path: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_TAKEN',
    subject: `archive ${store.shown}`,
    what: `${path} is there already and holds something else.`,
    fix: 'Nothing was overwritten or dropped. Find out what it is; two databases may share this place: give each its own.',
  });
}
