// Where ValidaHub lives: a database that is what the definition says, and a hub that speaks as the application's role.
import { createHmac, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { apply, connect, embedded, HoldfastError, plan } from 'holdfast';
import { readPlan, type Plan } from 'holdfast/build';
import { isSqlstate, redact, SQLSTATE, urlFromEnvironment, withClient, withDatabase } from 'holdfast/server';
import type { Connected } from 'holdfast/use';
import definition from './database.ts';
import { ROLES } from './define.ts';
import { openHub, type Hub } from './operations/index.ts';
import type * as tables from './tables/index.ts';

/** What opening takes. */
export interface HomeOptions {
  /** The folder whose `.holdfast` holds the embedded server. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** Told what is being done. */
  readonly onStage?: (stage: string, part?: number, of?: number) => void;
}

/** An open ValidaHub and where it is. */
export interface Home {
  readonly hub: Hub;
  /** Connection string of the application's role, without its password. */
  readonly shown: string;
  /** What was changed to make the database what the definition says. */
  readonly steps: number;
  /** Present when the server is the project's own. */
  readonly server?: { readonly version: string; readonly dataDir: string; readonly passwordFile: string };
  readonly notes: readonly string[];
  readonly leave: () => Promise<void>;
}

/**
 * Opens ValidaHub: finds the server, brings the database to the definition, and connects as the application's role.
 * Without `DATABASE_URL` that is the embedded server of the folder, whose application password is made here and kept in
 * a file that only its owner may read. With it, `VALIDAHUB_APP_URL` says how the application logs in, because the
 * password of a role on somebody's server is the operator's to set.
 * @throws HoldfastError HF_VALIDAHUB_APP_URL, and those of embedded, plan, apply and connect
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const given = urlFromEnvironment(options.env);
  return given === undefined ? openOwn(options) : openGiven(options, given);
}

async function openGiven(options: HomeOptions, url: string): Promise<Home> {
  const appUrl = options.env['VALIDAHUB_APP_URL'];
  if (appUrl === undefined || appUrl === '') {
    throw new HoldfastError({
      code: 'HF_VALIDAHUB_APP_URL',
      subject: 'VALIDAHUB_APP_URL',
      what: `DATABASE_URL names a server, but not how the application logs in there as ${ROLES.app}.`,
      fix: `Set VALIDAHUB_APP_URL to postgres://${ROLES.app}:password@host:port/database; give the role its password with \\password ${ROLES.app} in psql.`,
    });
  }
  const steps = await bringUp(url, options);
  const connected = await connect(definition, appUrl);
  return {
    hub: openHub(connected, options),
    shown: redact(appUrl),
    steps,
    notes: [],
    leave: connected.close,
  };
}

async function openOwn(options: HomeOptions): Promise<Home> {
  options.onStage?.('starting PostgreSQL');
  const server = await embedded({ cwd: options.cwd });
  try {
    await ensureDatabase(server.url);
    const url = withDatabase(server.url, definition.name);
    const steps = await bringUp(url, options);
    const passwordFile = join(options.cwd, '.holdfast', 'validahub-app-password');
    const connected = await logIn(url, passwordFile);
    return {
      hub: openHub(connected, options),
      shown: redact(asApp(url, '')),
      steps,
      server: { version: server.version, dataDir: server.dataDir, passwordFile },
      notes: server.notes,
      leave: async () => {
        await connected.close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function ensureDatabase(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1', [
      definition.name,
    ]);
    if (rowCount === 1) return;
    await client
      .query(`CREATE DATABASE ${definition.name} TEMPLATE template0 ENCODING 'UTF8'`)
      .catch((error: unknown) => {
        // Another start of the same project was first, which is as good.
        if (!isSqlstate(error, SQLSTATE.duplicateDatabase, SQLSTATE.uniqueViolation)) throw error;
      });
  });
}

const BRING_UP_ATTEMPTS = 5;

/** Plans and applies, one process at a time: two rehearsals at once on a new server would meet in the roles they make. */
async function bringUp(url: string, options: HomeOptions): Promise<number> {
  return withClient(url, async (client) => {
    await client.query("SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('validahub bring up'))");
    return planAndApply(url, options);
  });
}

/** What a process left half done is finished first; who changes the database by other ways meanwhile is waited for. */
async function planAndApply(url: string, options: HomeOptions): Promise<number> {
  const { onStage } = options;
  const onProgress = (at: { subject: string; step: number; of: number }): void =>
    onStage?.(at.subject, at.step, at.of);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const left = await unfinishedPlan(url);
      const finished = left === undefined ? 0 : (await apply(left, url, { onProgress })).steps;
      onStage?.('comparing the database with the definition');
      const planned = await plan(definition, url, { now: options.now() });
      if (planned.steps.length === 0) return finished;
      return finished + (await apply(planned, url, { onProgress })).steps;
    } catch (error) {
      const overtaken = hasCode(error, 'HF_STALE_PLAN') || hasCode(error, 'HF_UNFINISHED');
      if (!overtaken || attempt === BRING_UP_ATTEMPTS) throw error;
    }
  }
}

/** The plan that is being applied, or was when its process died: applying it again waits for the one, finishes the other. */
async function unfinishedPlan(url: string): Promise<Plan | undefined> {
  return withClient(url, async (client) => {
    const { rows: ledger } = await client.query<{ there: boolean }>(
      "SELECT pg_catalog.to_regclass('holdfast.run') IS NOT NULL AS there",
    );
    if (ledger[0]?.there !== true) return undefined;
    const { rows } = await client.query<{ plan: unknown }>(
      "SELECT plan FROM holdfast.run WHERE state = 'applying'",
    );
    return rows[0] === undefined ? undefined : readPlan(rows[0].plan);
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof HoldfastError && error.code === code;
}

/**
 * Logs in with the password that is kept; sets a new one where there is none or it no longer fits the server. Only one
 * process at a time sets it, so that the file and the server agree.
 */
async function logIn(url: string, passwordFile: string): Promise<Connected<typeof tables>> {
  return withClient(url, async (client) => {
    await client.query("SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('validahub app password'))");
    const connected = await logInAsKept(url, passwordFile);
    if (connected !== undefined) return connected;
    const password = randomBytes(24).toString('base64url');
    await client.query(`ALTER ROLE ${ROLES.app} PASSWORD '${verifier(password)}'`);
    await mkdir(dirname(passwordFile), { recursive: true });
    const partial = `${passwordFile}.${process.pid}`;
    await writeFile(partial, `${password}\n`, { mode: 0o600 });
    await rename(partial, passwordFile);
    return connect(definition, asApp(url, password));
  });
}

async function logInAsKept(url: string, passwordFile: string): Promise<Connected<typeof tables> | undefined> {
  const kept = (await readFile(passwordFile, 'utf8').catch(() => '')).trim();
  if (kept === '') return undefined;
  return connect(definition, asApp(url, kept)).catch((error: unknown) => {
    if (hasCode(error, 'HF_LOGIN')) return undefined;
    throw error;
  });
}

function asApp(url: string, password: string): string {
  const app = new URL(url);
  app.username = ROLES.app;
  app.password = password;
  return app.href;
}

/**
 * What the server stores for a password: with it the password itself never stands in a statement, a log or
 * pg_stat_statements.
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
function verifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
