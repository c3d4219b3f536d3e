// The register of who was erased: in the database, where triggers read it, and a copy outside, which no restore forgets.
import { readFile, writeFile } from 'node:fs/promises';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { before, lengthOf } from '../retention/duration.ts';
import type { ArchiveFiles } from '../retention/port.ts';
import type { Key } from './digest.ts';
import type { ErasurePlan } from './plan.ts';
import { asPiece, type Request, requestOf } from './request.ts';
import { rowsOf } from './rows.ts';
import { idOf, type Run } from './run.ts';
import { saltOf } from './subject.ts';

/** One subject that was erased, as it is kept outside the database. */
export interface Tombstone {
  readonly format: 'holdfast-tombstone/1';
  readonly definition: string;
  readonly subject: string;
  /** Hexadecimal, both. */
  readonly digest: string;
  readonly salt: string;
  readonly basis: string;
  readonly since: string;
}

/**
 * Registers a subject in one transaction with its request: once this has returned, statements that begin write no row of
 * it. One that is registered stays so; one that was erased before is erased again.
 * @throws HoldfastError what keeps rows from going
 */
export async function register(
  run: Run,
  how: { readonly basis: string; readonly mirror?: ArchiveFiles; readonly rewrite?: boolean },
): Promise<Request> {
  const { context, plan, subject, sought } = run;
  const id = idOf(run);
  if (how.mirror !== undefined) await keepOutside(run, { basis: how.basis, mirror: how.mirror });
  return context.session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    for (const rule of subject.rules)
      for (const mayGo of run.guards) if (rule.act !== 'keep') await mayGo(query, rowsOf(run, rule));
    await query(
      `INSERT INTO ${qualified(plan.register)} (subject, digest, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [subject.name, sought.digest, context.now.toISOString()],
    );
    const known = await requestOf(context.pieces, id, query);
    const open = openOf(run);
    const rewrite = how.rewrite === true || known?.rewrite === true;
    if (known?.state === 'erasing') {
      const reopens = open !== undefined && known.open === undefined;
      if (!reopens && known.rewrite === rewrite) return known;
      const asked: Request = { ...known, ...(reopens && { open }), rewrite };
      await context.pieces.put(query, asPiece(asked), 'erasing');
      return asked;
    }
    const request: Request = {
      ...id,
      state: 'erasing',
      basis: known?.basis ?? how.basis,
      requestedAt: known?.requestedAt ?? context.now,
      dueAt: known?.dueAt ?? dueOf(run),
      erasedAt: known?.erasedAt ?? null,
      xid: await currentXid(query),
      counts: known?.counts ?? [],
      // Pages keep bytes of what went before until a rewriting that ended: --rewrite may be asked for later.
      touched: known?.rewrite === true ? [] : (known?.touched ?? []),
      left: [],
      rewrite,
      ...(open !== undefined && { open }),
      forgotten: [],
    };
    await context.pieces.put(query, asPiece(request), known?.state ?? null);
    return request;
  });
}

/** The key, where a cache has to be told it: rows that carry it may be gone when the job asks the cache again. */
function openOf({ plan, sought }: Run): Key | undefined {
  if (plan.caches.length === 0) return undefined;
  return { key: sought.key, ...(sought.within !== undefined && { within: sought.within }) };
}

function dueOf({ context, subject }: Run): Date {
  const term = lengthOf(subject.term, `erasure of a ${subject.name}`);
  return before(context.now, { ...term, count: -term.count });
}

async function currentXid(query: CatalogueQuery): Promise<string> {
  const [row] = await query<{ xid: string }>(
    'SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text AS xid',
  );
  return row?.xid ?? '0';
}

/** Digests of the register, by kind of subject. */
export async function registered(
  query: CatalogueQuery,
  plan: ErasurePlan,
): Promise<readonly { readonly subject: string; readonly digest: Buffer }[]> {
  return query<{ subject: string; digest: Buffer }>(
    `SELECT subject, digest FROM ${qualified(plan.register)} ORDER BY subject, digest`,
  );
}

/** Before the first row goes: a tombstone that is there twice is as good as once. */
async function keepOutside(
  run: Run,
  { basis, mirror }: { readonly basis: string; readonly mirror: ArchiveFiles },
): Promise<void> {
  const { context, plan } = run;
  const { subject, digest } = idOf(run);
  const path = `${folderOf(context.model.name)}/${subject}-${digest}.json`;
  const there = await mirror.store.get(path);
  await there?.done();
  if (there !== undefined) return;
  const salt = await saltOf(context.session, plan);
  const tombstone: Tombstone = {
    format: 'holdfast-tombstone/1',
    definition: context.model.name,
    subject,
    digest,
    salt: salt.toString('hex'),
    basis,
    since: context.now.toISOString(),
  };
  const draft = await mirror.store.draft(path);
  try {
    await writeFile(draft.file, `${JSON.stringify(tombstone, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await mirror.store.put(path, draft);
  } finally {
    await draft.done();
  }
}

/** The tombstones that are kept outside the database. */
export async function keptOutside(mirror: ArchiveFiles, definition: string): Promise<readonly Tombstone[]> {
  const found: Tombstone[] = [];
  for (const path of await mirror.store.list(folderOf(definition))) {
    const file = await mirror.store.get(path);
    if (file === undefined) continue;
    const text = await readFile(file.file, 'utf8').finally(async () => file.done());
    found.push(parsed(mirror, path, text));
  }
  return found.filter((one) => one.definition === definition);
}

function parsed(mirror: ArchiveFiles, path: string, text: string): Tombstone {
  let value: Partial<Tombstone> | null;
  try {
    value = JSON.parse(text) as Partial<Tombstone> | null;
  } catch {
    value = null;
  }
  const whole =
    value?.format === 'holdfast-tombstone/1' &&
    [value.definition, value.subject, value.basis, value.since].every((one) => typeof one === 'string') &&
    [value.digest, value.salt].every((one) => /^[0-9a-f]{64}$/.test(one ?? ''));
  if (whole) return value as Tombstone;
  throw new HoldfastError({
    code: 'HF_ERASURE_TOMBSTONE',
    subject: `tombstones ${mirror.shown}/${path}`,
    what: 'it cannot be read as one.',
    fix: 'Bring it back from a copy of the store: without it that subject could come back with a restore.',
  });
}

function folderOf(definition: string): string {
  return `${encodeURIComponent(definition)}/erased`;
}
