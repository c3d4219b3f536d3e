// holdfast export: every row of a person or a tenant, wherever it lies, as JSON lines that any program can read.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { findTable, label, type TaskContext } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import type { Eraser, Exported } from '../../traits/index.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { columns, counted, say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { withTarget } from '../with-plan.ts';
import { writeLines } from '../write-lines.ts';
import { eraserIn, inErasure, subjectOf } from './erase.ts';

/** `holdfast export [DEFINITION] --subject … --to FILE`. */
export const exportCommand: Command = {
  name: 'export',
  summary: 'write every row of a person or a tenant to a file of JSON lines, archived ones included',
  usage: '[DEFINITION] --subject KIND:KEY --to FILE [--url URL] [--json]',
  options: { ...targetOptions, subject: { type: 'string' }, to: { type: 'string' } },
  help: {
    ...targetHelp,
    subject:
      "whose rows: 'person:7', 'tenant:acme', 'person:acme/ana' where a key means something within a tenant",
    to: 'the file; it has its name once it is whole',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const subject = subjectOf(invocation);
  const to = text(invocation, 'to');
  if (to === undefined) throw noFile();
  return withTarget(invocation, async (at) => {
    const file = resolve(invocation.cwd, to);
    const done = await inErasure(invocation, at, {
      // Nothing moves rows from one place to another while they are written: each is there once.
      leading: true,
      work: async (context) => written(context, eraserIn(at), { subject, file }),
    });
    const { terminal } = invocation;
    if (flag(invocation, 'json')) {
      say(terminal, JSON.stringify({ file, ...done }, null, 2));
      return EXIT.done;
    }
    say(terminal, `${counted(done.rows, 'row')} in ${to}, SHA-256 ${done.sha256}`);
    for (const line of columns(
      Object.entries(done.counts).map(([place, rows]) => [`  ${place}`, counted(rows, 'row')]),
    ))
      say(terminal, line);
    return EXIT.done;
  });
}

interface Written {
  readonly rows: number;
  readonly sha256: string;
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * The first line says what the file is, the last how many rows of which place it holds and the SHA-256 of everything
 * before that line.
 */
async function written(
  context: TaskContext,
  eraser: Eraser,
  { subject, file }: { readonly subject: string; readonly file: string },
): Promise<Written> {
  const hash = createHash('sha256');
  const whole = createHash('sha256');
  const counts: Record<string, number> = {};
  const seen = new Set<string>();
  let rows = 0;
  const lines = await writeLines(file);
  const put = async (value: unknown): Promise<void> => {
    const line = `${JSON.stringify(value)}\n`;
    hash.update(line);
    whole.update(line);
    await lines.add(line);
  };
  try {
    await put({
      export: 'holdfast-export/1',
      definition: context.model.name,
      subject,
      at: context.now.toISOString(),
    });
    await eraser.export(context, subject, async ({ relation, place, row }: Exported) => {
      const name = label(relation);
      if (!seen.has(name)) await put({ relation: name, types: typesOf(context, relation) });
      seen.add(name);
      counts[place] = (counts[place] ?? 0) + 1;
      rows += 1;
      await put({ relation: name, place, columns: row });
      context.tell(`${place}: ${rows} rows written`);
    });
    const last = `${JSON.stringify({ rows, counts, sha256: hash.digest('hex') })}\n`;
    whole.update(last);
    await lines.add(last);
    await lines.finish();
    return { rows, sha256: whole.digest('hex'), counts };
  } finally {
    await lines.abandon();
  }
}

function typesOf(context: TaskContext, of: Exported['relation']): Readonly<Record<string, string>> {
  const found = findTable(context.model, of)?.columns ?? [];
  return Object.fromEntries(found.map((column) => [column.name, column.type]));
}

function noFile(): HoldfastError {
  return new HoldfastError({
    code: 'HF_EXPORT_FILE',
    subject: '--to',
    what: 'it is missing.',
    fix: 'Name the file: --to person-7.jsonl.',
  });
}
