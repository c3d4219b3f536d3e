// holdfast erase: a person or a tenant is erased from wherever rows of them lie; what would go is shown first.
import type { TaskContext } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { withTask } from '../../keep/index.ts';
import { erasersOf, type Eraser, type ErasureReport } from '../../traits/index.ts';
import type { Request } from '../../traits/erasure/index.ts';
import { asked } from '../ask.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { columns, counted, progress, say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { type Planned, withTarget } from '../with-plan.ts';

/** `holdfast erase [DEFINITION] --subject … --basis …`. */
export const eraseCommand: Command = {
  name: 'erase',
  summary: 'erase a person or a tenant from tables, archives and rollups; shows first what would go',
  usage:
    '[DEFINITION] --subject KIND:KEY --basis TEXT [--yes | --dry-run] [--later] [--rewrite] [--url URL] | [DEFINITION] --list | [DEFINITION] --replay',
  options: {
    ...targetOptions,
    subject: { type: 'string' },
    basis: { type: 'string' },
    yes: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    later: { type: 'boolean' },
    rewrite: { type: 'boolean' },
    list: { type: 'boolean' },
    replay: { type: 'boolean' },
  },
  help: {
    ...targetHelp,
    subject:
      "whose rows: 'person:7', 'tenant:acme', 'person:acme/ana' where a key means something within a tenant",
    basis: "why it is lawful, for the report: 'LGPD art. 18 VI'",
    yes: 'do not ask',
    'dry-run': 'show what would go, and stop',
    later:
      'register the request: no row of the subject is written any more, and the keeper erases it with its next run',
    rewrite:
      'write touched tables anew in the end, so that no page keeps bytes of what went; nobody uses a table while it is written',
    list: 'every request: open and done, by digest',
    replay:
      'finish what was begun, and erase again what came back with a restore; looks into every archived file',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  return withTarget(invocation, async (at) => {
    const eraser = eraserIn(at);
    if (flag(invocation, 'list')) return list(invocation, at, eraser);
    if (flag(invocation, 'replay')) return replay(invocation, at, eraser);
    return erase(invocation, at, eraser);
  });
}

type At = Omit<Planned, 'plan'>;

/**
 * The erasure of a definition.
 * @throws HoldfastError HF_ERASURE_UNKNOWN when it has none
 */
export function eraserIn({ loaded }: At): Eraser {
  const [eraser] = erasersOf(loaded.definition);
  if (eraser !== undefined) return eraser;
  throw new HoldfastError({
    code: 'HF_ERASURE_UNKNOWN',
    subject: `definition ${loaded.definition.name}`,
    what: 'it does not say who can be erased.',
    fix: 'Add erasure({ subjects: … }) to its traits.',
  });
}

/** Work with the pieces of erasure, with progress on stderr. */
export async function inErasure<T>(
  invocation: Invocation,
  { loaded, place }: At,
  how: { readonly leading: boolean; readonly work: (context: TaskContext) => Promise<T> },
): Promise<T> {
  const line = progress(invocation.terminal);
  const options = {
    trait: 'erasure',
    leading: how.leading,
    now: invocation.now(),
    signal: invocation.signal,
    tell: (said: string) => line.show(said),
  };
  return withTask(loaded.definition, place.url, options, how.work).finally(() => line.end());
}

/**
 * What `--subject` names.
 * @throws HoldfastError HF_ERASURE_SUBJECT when it is missing
 */
export function subjectOf(invocation: Invocation): string {
  const subject = text(invocation, 'subject');
  if (subject !== undefined) return subject;
  throw new HoldfastError({
    code: 'HF_ERASURE_SUBJECT',
    subject: '--subject',
    what: 'it is missing.',
    fix: "Write --subject 'person:7'.",
  });
}

async function erase(invocation: Invocation, at: At, eraser: Eraser): Promise<number> {
  const subject = subjectOf(invocation);
  const basis = text(invocation, 'basis') ?? '';
  const dry = flag(invocation, 'dry-run');
  if (basis === '' && !dry) throw noBasis();
  const report = await inErasure(invocation, at, {
    leading: false,
    work: async (context) => eraser.preview(context, subject),
  });
  if (dry || !flag(invocation, 'json')) show(invocation, report);
  if (dry) return EXIT.done;
  if (!(await confirmed(invocation, report))) return EXIT.failed;
  const later = flag(invocation, 'later');
  const request = { subject, basis, rewrite: flag(invocation, 'rewrite') };
  const done = await inErasure(invocation, at, {
    leading: !later,
    work: async (context) => (later ? eraser.register(context, request) : eraser.erase(context, request)),
  });
  tell(invocation, done);
  return EXIT.done;
}

function show(invocation: Invocation, { places, kept, caches, digest, subject }: ErasureReport): void {
  const { terminal } = invocation;
  if (flag(invocation, 'json'))
    return say(terminal, JSON.stringify({ subject, digest, places, kept, caches }, null, 2));
  const touched = places.filter((one) => one.rows > 0);
  say(terminal, touched.length === 0 ? `nothing is left of this ${subject}` : `of this ${subject} would go:`);
  const rows = touched.map((one) => [
    `  ${one.place}`,
    counted(one.rows, 'row'),
    one.files === undefined ? '' : counted(one.files, 'file'),
  ]);
  for (const line of columns(rows)) say(terminal, line);
  const stays = kept.filter((one) => one.rows > 0);
  if (stays.length > 0) say(terminal, 'and would stay:');
  for (const line of columns(stays.map((one) => [`  ${one.place}`, counted(one.rows, 'row'), one.because])))
    say(terminal, line);
  if (caches.length > 0) say(terminal, `and would be forgotten by: ${caches.join(', ')}`);
}

async function confirmed(invocation: Invocation, { subject, places }: ErasureReport): Promise<boolean> {
  if (flag(invocation, 'yes')) return true;
  const rows = places.reduce((sum, one) => sum + one.rows, 0);
  const answer = await asked(invocation, `Erase this ${subject} and its ${counted(rows, 'row')} for good?`);
  if (answer === 'cannot ask') throw notAsked();
  if (!answer) invocation.terminal.err.write('nothing was erased\n');
  return answer;
}

function tell(invocation: Invocation, request: Request): void {
  const { terminal } = invocation;
  if (flag(invocation, 'json')) return say(terminal, JSON.stringify(machine(request), null, 2));
  if (request.state === 'erasing') {
    say(
      terminal,
      `registered as ${short(request)}; the keeper erases it, at the latest by ${day(request.dueAt)}`,
    );
    return;
  }
  const total = request.counts.reduce((sum, one) => sum + one.rows, 0);
  say(terminal, `erased: ${counted(total, 'row')}, ${request.basis}; registered as ${short(request)}`);
  const rows = request.counts.map((one) => [
    `  ${one.place}`,
    one.entries === undefined ? counted(one.rows, 'row') : entries(one.entries),
    one.files === undefined ? '' : counted(one.files, 'file'),
  ]);
  for (const line of columns(rows)) say(terminal, line);
  for (const line of request.left) say(terminal, `left: ${line}`);
}

async function list(invocation: Invocation, at: At, eraser: Eraser): Promise<number> {
  const { terminal } = invocation;
  const found = await inErasure(invocation, at, {
    leading: false,
    work: async (context) => eraser.requests(context),
  });
  if (flag(invocation, 'json')) say(terminal, JSON.stringify(found.map(machine), null, 2));
  else if (found.length === 0) say(terminal, 'nobody was erased');
  const rows = found.map((one) => [
    one.subject,
    short(one),
    one.state === 'erasing'
      ? `open, due ${day(one.dueAt)}`
      : `erased ${day(one.erasedAt ?? one.requestedAt)}`,
    counted(
      one.counts.reduce((sum, place) => sum + place.rows, 0),
      'row',
    ),
    one.basis,
  ]);
  if (!flag(invocation, 'json')) for (const line of columns(rows)) say(terminal, line);
  return EXIT.done;
}

async function replay(invocation: Invocation, at: At, eraser: Eraser): Promise<number> {
  const done = await inErasure(invocation, at, {
    leading: true,
    work: async (context) => eraser.replay(context, { everywhere: true }),
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(done));
  else
    say(
      invocation.terminal,
      done.erased === 0 && done.waiting === 0
        ? 'nothing of anybody who was erased has come back'
        : `${counted(done.erased, 'subject')} erased again, ${counted(done.rows, 'row')}${done.waiting > 0 ? `; ${done.waiting} wait for a transaction to end` : ''}`,
    );
  return done.waiting > 0 ? EXIT.failed : EXIT.done;
}

function entries(count: number): string {
  return `${count} ${count === 1 ? 'entry' : 'entries'}`;
}

function machine(request: Request): Record<string, unknown> {
  const { touched: _touched, xid: _xid, open: _open, ...rest } = request;
  return rest;
}

function short(request: Request): string {
  return request.digest.slice(0, 16);
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

function noBasis(): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_BASIS',
    subject: '--basis',
    what: 'it is missing.',
    fix: "Say why it is lawful, for the report: --basis 'LGPD art. 18 VI'.",
  });
}

function notAsked(): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_CONFIRM',
    subject: 'holdfast erase',
    what: 'nobody is there to be asked, and what is erased does not come back.',
    fix: 'Look at what would go with --dry-run, then say --yes.',
  });
}
