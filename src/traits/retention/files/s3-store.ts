// An S3-compatible bucket as a store, through the optional package s3mini. Credentials come from the environment and are
// never part of a message: of a failure only status and service code are told, for S3 repeats keys in its answers.
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { S3mini } from 's3mini';
import { HoldfastError } from '../../../error.ts';
import { type Draft, sha256Of, type Store, storeFailed, taken } from './store.ts';

/** Where a bucket is and which variables of the environment name who may enter. */
export interface S3Options {
  /** The bucket's address, its name included: `https://s3.eu-central-1.amazonaws.com/shop-archive`. */
  readonly bucket: string;
  /** Default `auto`. */
  readonly region?: string;
  /** Goes before every name in the bucket, as `holdfast/`. */
  readonly prefix?: string;
  /** Names of the variables with the key and its secret; default AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
  readonly keyFrom?: string;
  readonly secretFrom?: string;
  /** How long one request may take, in milliseconds; default ten minutes. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 600_000;

/**
 * An S3-compatible bucket as a store. Data files are at most 64 MB, so each is one request.
 * Nothing is asked of the network before the store is used.
 * @throws HoldfastError HF_ARCHIVE_STORE when the address is none or carries credentials. In use: HF_ARCHIVE_S3MINI when
 *   the package s3mini is missing, HF_ARCHIVE_CREDENTIALS when the variables are empty, HF_ARCHIVE_STORE when S3 refuses
 */
export function s3Store(options: S3Options): Store {
  const shown = addressOf(options);
  const store = { shown };
  const prefix = options.prefix ?? '';
  let opened: Promise<S3mini> | undefined;
  const attempt = async <T>(
    path: string,
    doing: string,
    work: (client: S3mini) => Promise<T>,
  ): Promise<T> => {
    const client = await (opened ??= open(shown, options));
    try {
      return await work(client);
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw storeFailed(store, path, { doing, reason: reasonOf(error) });
    }
  };
  const get = async (path: string): Promise<Draft | undefined> =>
    attempt(path, 'read', async (client) => {
      const response = await client.getObjectResponse(prefix + path);
      if (response === null || response.body === null) return undefined;
      const copy = await temporary();
      await pipeline(Readable.fromWeb(response.body), createWriteStream(copy.file, { mode: 0o600 }));
      return copy;
    });
  return {
    shown,
    draft: temporary,
    put: async (path, draft) => {
      const there = await get(path);
      if (there !== undefined) {
        const same = (await sha256Of(there.file)) === (await sha256Of(draft.file));
        await there.done();
        if (!same) throw taken(store, path);
      } else {
        const bytes = await readFile(draft.file);
        await attempt(path, 'store', async (client) => client.putObject(prefix + path, bytes));
      }
      await draft.done();
    },
    get,
    list: async (folder) =>
      attempt(folder, 'list', async (client) => {
        const found = await client.listObjects('/', folder === '' ? prefix : `${prefix}${folder}/`);
        if (found === null) throw new Error('there is no such bucket');
        return found.map(({ Key }) => Key.slice(prefix.length)).sort();
      }),
    remove: async (path) => {
      await attempt(path, 'remove', async (client) => client.deleteObject(prefix + path));
    },
    // What was not put never reached the bucket; a draft lies in the system's temporary folder.
    tidy: async () => undefined,
  };
}

function addressOf({ bucket }: S3Options): string {
  let url: URL;
  try {
    url = new URL(bucket);
  } catch {
    throw noAddress('its address cannot be read.');
  }
  if (!/^https?:$/.test(url.protocol)) throw noAddress('its address is no http or https address.');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw noAddress('its address holds more than host and bucket.');
  return url.href;
}

function noAddress(what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_STORE',
    subject: 'the archive’s bucket',
    what,
    fix: 'Write it as https://host/bucket; credentials come from the environment.',
  });
}

async function open(shown: string, options: S3Options): Promise<S3mini> {
  const keyFrom = options.keyFrom ?? 'AWS_ACCESS_KEY_ID';
  const secretFrom = options.secretFrom ?? 'AWS_SECRET_ACCESS_KEY';
  const key = process.env[keyFrom] ?? '';
  const secret = process.env[secretFrom] ?? '';
  if (key === '' || secret === '') {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_CREDENTIALS',
      subject: `archive ${shown}`,
      what: `${keyFrom} or ${secretFrom} is not set in the environment.`,
      fix: 'Set both for the keeper and for `holdfast archive`.',
    });
  }
  const library = await load(shown);
  return new library.S3mini({
    accessKeyId: key,
    secretAccessKey: secret,
    endpoint: shown,
    region: options.region ?? 'auto',
    requestAbortTimeout: options.timeoutMs ?? TIMEOUT_MS,
  });
}

async function load(shown: string): Promise<{ readonly S3mini: typeof S3mini }> {
  try {
    return await import('s3mini');
  } catch (error) {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_S3MINI',
      subject: `archive ${shown}`,
      what: 'the package s3mini, which speaks to S3, is not installed.',
      fix: 'npm install s3mini',
      cause: error,
    });
  }
}

async function temporary(): Promise<Draft> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-archive-'));
  const file = join(folder, randomBytes(6).toString('hex'));
  return { file, done: async () => rm(folder, { recursive: true, force: true }) };
}

function reasonOf(error: unknown): string {
  const { status, serviceCode, code, name } = error as {
    status?: number;
    serviceCode?: string;
    code?: string;
    name?: string;
  };
  if (status !== undefined) return `it answered ${status} ${serviceCode ?? ''}`.trim();
  const own = error instanceof Error && error.message === 'there is no such bucket';
  return own ? error.message : (code ?? name ?? 'unknown reason');
}
