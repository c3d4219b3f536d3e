// The corrected file: the file that was given, with the corrections that stand applied. ValidaHub keeps no rows, so the
// file is given again, and its SHA-256 must be the one that was checked.
import type { Readable } from 'node:stream';
import { sql } from 'drizzle-orm';
import { openCatalogue, type Catalogue } from '../catalogue/open.ts';
import { patchRows, type Patch } from '../catalogue/patch.ts';
import type { CatalogueRow, Mapping } from '../catalogue/row.ts';
import { writeCatalogue } from '../catalogue/write.ts';
import { failure } from './failure.ts';
import { asTenant, record, rowsOf, type Hub } from './hub.ts';
import { actorInput, idInput, tenantInput } from './input.ts';
import { readJob } from './job.ts';

/** Which file to write anew. */
export interface ExportInput {
  readonly tenant: string;
  readonly jobId: string;
  /** The file the job checked: a path, a stream, or a catalogue that is open already (it stays open). */
  readonly source: string | Readable | Catalogue;
  readonly by: string;
  /** False writes cells that start like a formula as they are, for readers that are programs. Default true. */
  readonly neutralise?: boolean;
}

/** What was written. Complete once the text has been read to its end. */
export interface ExportCount {
  rows: number;
  /** Corrections that were put in. */
  corrected: number;
  /** Applied corrections that found another value in their cell, because one they stand on was reverted. */
  skipped: number;
}

const PAGE = 5_000;

/**
 * Writes the corrected file, in chunks: rows stream from the source, corrections from the log in pages.
 * @param consume takes the text; `pipeline(text, file)` of node:stream/promises will do
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_JOB_STATUS when the job did not complete,
 *   HF_VALIDAHUB_FILE_CHANGED when the source is not the file that was checked
 */
export async function exportCorrected(
  hub: Hub,
  input: ExportInput,
  consume: (text: AsyncIterable<string>) => Promise<unknown>,
): Promise<ExportCount> {
  const tenantId = tenantInput(input.tenant);
  const jobId = idInput('job', input.jobId);
  const actor = actorInput(input.by);
  const job = await asTenant(hub, tenantId, (tx) => readJob(tx, tenantId, jobId));
  if (job.status !== 'completed') throw notCompleted(jobId, job.status);
  const given = typeof input.source === 'object' && 'sha256' in input.source;
  const opened = given ? input.source : await openCatalogue(input.source);
  try {
    if (opened.sha256 !== job.fileSha256) throw otherFile(opened.name, job.fileName);
    const catalogue = opened.mapped((job.options['mapping'] ?? {}) as Mapping);
    const count: ExportCount = { rows: 0, corrected: 0, skipped: 0 };
    const patches = appliedPatches(hub, { tenantId, jobId, count });
    const rows = counted(patchRows(catalogue.columns, catalogue.rows(), patches), count);
    await consume(writeCatalogue(catalogue, rows, { neutralise: input.neutralise ?? true }));
    count.corrected -= count.skipped;
    await asTenant(hub, tenantId, (tx) =>
      record(tx, {
        tenantId,
        eventType: 'job.exported',
        actor,
        entity: 'job',
        entityId: jobId,
        details: { ...count },
      }),
    );
    return count;
  } finally {
    if (!given) await opened.close();
  }
}

function notCompleted(jobId: string, status: string): Error {
  return failure('JOB_STATUS', {
    subject: `job ${jobId}`,
    what: `it is ${status}, so not every row was checked.`,
    fix: 'Run the file again and export the job that completes.',
  });
}

function otherFile(name: string, checked: string): Error {
  return failure('FILE_CHANGED', {
    subject: `catalogue ${name}`,
    what: `it is not the file that the job checked (${checked}): its SHA-256 differs.`,
    fix: 'Give the file as it was, or check the new one first.',
  });
}

interface PatchRow {
  readonly id: string;
  readonly record_number: number;
  readonly field_name: string;
  readonly original: string;
  readonly corrected: string;
}

/** Applied corrections by record, within a record in the order they were made: their ids rise with time. */
async function* appliedPatches(
  hub: Hub,
  of: { tenantId: string; jobId: string; count: ExportCount },
): AsyncGenerator<Patch, void, undefined> {
  let after = { record: 0, id: '00000000-0000-0000-0000-000000000000' };
  for (;;) {
    const from = after;
    const page = await asTenant(hub, of.tenantId, (tx) =>
      rowsOf<PatchRow>(
        tx,
        sql`SELECT id, record_number, field_name, coalesce(original_value #>> '{}', '') AS original,
            coalesce(corrected_value #>> '{}', '') AS corrected
          FROM validahub.correction_logs
          WHERE tenant_id = ${of.tenantId} AND job_id = ${of.jobId}::uuid AND status = 'applied'
            AND record_number >= ${from.record} AND (record_number, id) > (${from.record}, ${from.id}::uuid)
          ORDER BY record_number, id LIMIT ${PAGE}`,
      ),
    );
    for (const row of page) {
      of.count.corrected += 1;
      yield {
        recordNumber: row.record_number,
        field: row.field_name,
        originalValue: row.original,
        correctedValue: row.corrected,
      };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { record: last.record_number, id: last.id };
  }
}

async function* counted(
  patched: AsyncIterable<{ readonly row: CatalogueRow; readonly skipped: readonly Patch[] }>,
  count: ExportCount,
): AsyncGenerator<CatalogueRow, void, undefined> {
  for await (const { row, skipped } of patched) {
    count.rows += 1;
    count.skipped += skipped.length;
    yield row;
  }
}
