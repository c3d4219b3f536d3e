// One subject is erased: once, once more, after its rows came back, and stopped in the middle; after each the whole database
// is searched and compared.
import type { Accepted, RemovalReport, TaskContext, ToldOutside } from '../../define/index.ts';
import { withTask } from '../../keep/index.ts';
import { qualified } from '../../sql.ts';
import { hashOf } from '../rows/random.ts';
import { archivedRows } from './archives.ts';
import { clockAt, type Ground } from './ground.ts';
import { putBack } from './put-back.ts';
import { keyValues, ruleOf, theirs } from './relations.ts';
import { type Place, search } from './search.ts';
import { type Change, compare, type Rows, snapshot } from './snapshot.ts';
import { Stopping } from './stopping.ts';
import type { Subject } from './subjects.ts';

/** Something that is not as the definition says. */
export interface Fault {
  /** What was being tried: `erased once`. */
  readonly when: string;
  readonly what: string;
  /** A query that shows it, and in words what it finds. */
  readonly sql?: string;
  /** The column that holds what should be gone, as a person accepts it: `column shop.orders.email`. */
  readonly column?: string;
  /** The place that holds it, column or not. */
  readonly found?: string;
}

/** One thing that was tried. */
export interface Step {
  readonly name: string;
  /** What was seen, in one line. */
  readonly line: string;
  readonly held: boolean;
}

/** One subject, erased. */
export interface Trial {
  readonly name: string;
  readonly round: TrialOptions['round'];
  /** What became of the rows of each relation. */
  readonly changes: readonly Change[];
  /** Where its values stood before, and stand after though they should not, in cells. */
  readonly before: readonly Place[];
  readonly after: readonly Place[];
  readonly report: RemovalReport;
  readonly steps: readonly Step[];
  readonly faults: readonly Fault[];
  /** Places that are accepted, each with the reason. */
  readonly accepted: readonly { readonly place: Place; readonly because: string }[];
  readonly notes: readonly string[];
}

/** How it is tried. */
export interface TrialOptions {
  /** Where rows of the subject are that are old: in their tables, or in archives as far as there are. */
  readonly round: 'online' | 'archived';
  readonly now: Date;
  readonly stops: number;
  readonly seed: number;
  readonly accepted: readonly Accepted[];
  readonly signal: AbortSignal | undefined;
  readonly say: (doing: string) => void;
}

/** Erases a subject once, stopped at a statement. */
export async function tryOnce(ground: Ground, subject: Subject, options: TrialOptions): Promise<Trial> {
  const trying = new Trying(ground, subject, options);
  const at = 1 + (hashOf(options.seed, subject.removal.name, 'first') % FIRST_STATEMENTS);
  await trying.first(options.stops > 0 ? at : undefined);
  return trying.trial();
}

/** How many statements an erasure has at least. */
const FIRST_STATEMENTS = 200;

/** Erases a subject, in every way it can happen. */
export async function tryOut(ground: Ground, subject: Subject, options: TrialOptions): Promise<Trial> {
  const trying = new Trying(ground, subject, options);
  await trying.first();
  await trying.again();
  await trying.back();
  for (let stop = 1; stop <= options.stops; stop += 1) {
    options.signal?.throwIfAborted();
    await trying.stopped(stop);
  }
  return trying.trial();
}

class Trying {
  readonly #ground: Ground;
  readonly #subject: Subject;
  readonly #options: TrialOptions;
  readonly #steps: Step[] = [];
  readonly #faults: Fault[] = [];
  readonly #accepted = new Map<string, Trial['accepted'][number]>();
  #was: readonly Rows[] = [];
  #is: readonly Rows[] = [];
  #before: readonly Place[] = [];
  #after: readonly Place[] = [];
  #changes: readonly Change[] = [];
  #report: RemovalReport = { finished: false, counts: [], left: [] };
  #statements = 0;

  constructor(ground: Ground, subject: Subject, options: TrialOptions) {
    this.#ground = ground;
    this.#subject = subject;
    this.#options = options;
  }

  trial(): Trial {
    return {
      name: this.#subject.removal.name,
      round: this.#options.round,
      changes: this.#changes,
      before: this.#before,
      after: this.#after,
      report: this.#report,
      steps: this.#steps,
      faults: this.#faults,
      accepted: [...this.#accepted.values()],
      notes: this.#subject.notes,
    };
  }

  /** Erased as whoever asks would: everything is compared with what was there. */
  async first(stopAt?: number): Promise<void> {
    const when = stopAt === undefined ? 'erased' : `erased, stopped at statement ${stopAt}`;
    const { removal } = this.#subject;
    const before = await this.#look();
    this.#was = before.rows;
    this.#before = before.places;
    const told: { readonly what: ToldOutside; readonly left: number }[] = [];
    this.#ground.hears = async (what) => void told.push({ what, left: await this.#left() });
    if (stopAt !== undefined) await this.#ended(new Stopping(stopAt));
    const counter = new Stopping();
    this.#report = await this.#carryOut(counter);
    this.#statements = counter.statements;
    const after = await this.#look();
    this.#is = after.rows;
    this.#after = after.places;
    this.#changes = compare(this.#was, this.#is);
    const faults = [
      ...(this.#report.finished ? [] : [{ when, what: 'it says that it is not finished' }]),
      ...this.#found(when, this.#after),
      ...this.#changes.flatMap((change) => aboutChange(when, change)),
      ...miscounted(when, this.#changes, this.#report),
      ...removal.caches
        .filter((name) => !told.some(({ what }) => what.to === name))
        .map((name) => ({ when, what: `${name} was not asked to forget` })),
      ...told
        .filter(({ left }) => left > 0)
        .map(({ what, left }) => ({
          when,
          what: `${what.to} was asked while ${left} rows were still there`,
        })),
    ];
    const rows = this.#changes.reduce((sum, one) => sum + (one.moves ? 0 : one.deleted + one.changed), 0);
    this.#step(
      when,
      faults,
      `${rows} rows in ${this.#statements} statements; nothing of it is found, and nobody else's row changed`,
    );
  }

  /** Asked for once more: there is nothing to do. */
  async again(): Promise<void> {
    const when = 'asked for again';
    const report = await this.#carryOut(new Stopping());
    const { rows } = await this.#look();
    const faults = [
      ...this.#sameAsBefore(when, rows),
      ...(JSON.stringify(report.counts) === JSON.stringify(this.#report.counts)
        ? []
        : [{ when, what: 'its report counts other rows than the first' }]),
    ];
    this.#step(when, faults, 'nothing was left to do');
  }

  /** Its rows come back, as from a backup, and what was erased is repeated. */
  async back(): Promise<void> {
    const when = 'rows put back';
    const rows = await putBack(this.#ground, this.#was);
    if (rows === 0) return;
    const { removal } = this.#subject;
    await this.#task(async (context) => removal.again(context));
    const is = await this.#look();
    const faults = [...this.#found(when, is.places), ...this.#sameAsBefore(when, is.rows)];
    this.#step(when, faults, `${rows} rows came back as from a backup, and were erased again`);
  }

  /** Ends at a statement, as if the process were gone; the next call goes on. */
  async stopped(number: number): Promise<void> {
    const rows = await putBack(this.#ground, this.#was);
    if (rows === 0) return;
    const at =
      1 + (hashOf(this.#options.seed, this.#subject.removal.name, number) % Math.max(1, this.#statements));
    const when = `stopped at statement ${at}`;
    const stop = new Stopping(at);
    this.#options.say(`${this.#subject.removal.name}: ${when}`);
    const ended = await this.#ended(stop);
    await this.#carryOut(new Stopping());
    const is = await this.#look();
    const faults = [...this.#found(when, is.places), ...this.#sameAsBefore(when, is.rows)];
    this.#step(
      when,
      faults,
      ended ? 'the next call went on, and nothing is left' : 'it was done before that',
    );
  }

  #step(name: string, faults: readonly Fault[], line: string): void {
    this.#faults.push(...faults);
    this.#steps.push({ name, held: faults.length === 0, line: faults[0]?.what ?? line });
  }

  async #task<T>(work: (context: TaskContext) => Promise<T>): Promise<T> {
    const { definition, url } = this.#ground;
    const { trait } = this.#subject.removal;
    return withTask(definition, url, { trait, leading: true, clock: clockAt(this.#options.now) }, work);
  }

  async #carryOut(counter: Stopping): Promise<RemovalReport> {
    const { removal, named } = this.#subject;
    return this.#task(async (context) => removal.carryOut(counter.context(context), named));
  }

  /** Carries it out up to a statement. @returns whether it was ended there */
  async #ended(stop: Stopping): Promise<boolean> {
    return this.#carryOut(stop).then(
      () => false,
      (error: unknown) => {
        if (stop.stopped) return true;
        throw error;
      },
    );
  }

  /** Every row as it is, and where the subject's values stand. */
  async #look(): Promise<{ readonly rows: readonly Rows[]; readonly places: readonly Place[] }> {
    const archived = await archivedRows(this.#ground, this.#options.now);
    return {
      rows: await snapshot(this.#ground, this.#subject, archived),
      places: await search(this.#ground, this.#subject.needles, archived),
    };
  }

  /** Rows of the subject that are to go and are still there. */
  async #left(): Promise<number> {
    const { tables } = this.#subject.removal;
    let rows = 0;
    for (const rule of tables.filter((one) => one.fate === 'deleted' && !one.derived)) {
      const [row] = await this.#ground.query<{ rows: number }>(
        `SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM ${qualified(rule.of)} AS t WHERE ${theirs(tables, rule, 't')}`,
        keyValues(this.#subject),
      );
      rows += row?.rows ?? 0;
    }
    return rows;
  }

  /** What is found and should not be; a table that keeps rows for a reason keeps the key. */
  #found(when: string, places: readonly Place[]): readonly Fault[] {
    return places.flatMap((place) => {
      if (this.#mayStay(place)) return [];
      const subject = place.column === undefined ? place.name : `column ${place.name}.${place.column}`;
      const accepted = this.#options.accepted.find(
        (one) => one.code === 'removal' && (one.subject === undefined || one.subject === subject),
      );
      if (accepted !== undefined) {
        this.#accepted.set(subject, { place, because: accepted.because });
        return [];
      }
      return [
        {
          when,
          what: `${subject} still holds what was theirs${place.kind === 'statistics' ? ', in the planner’s statistics' : ''}`,
          ...(place.sql !== undefined && { sql: place.sql }),
          ...(place.column !== undefined && { column: subject }),
          found: subject,
        },
      ];
    });
  }

  #mayStay({ name, column }: Place): boolean {
    const [schema = '', table = ''] = name.split('.');
    const { removal } = this.#subject;
    const files = removal.tables.find((one) => name === `archive files of ${one.of.schema}.${one.of.name}`);
    const rule = files ?? ruleOf(this.#ground.definition.model, removal.tables, { schema, name: table });
    return rule?.fate === 'kept' && column !== undefined && rule.by.includes(column);
  }

  #sameAsBefore(when: string, is: readonly Rows[]): readonly Fault[] {
    return compare(this.#is, is)
      .filter((one) => !one.moves)
      .flatMap((one) => [
        ...one.others.map((what) => ({ when, what: `${one.place}: ${what}` })),
        ...(one.deleted + one.changed > 0
          ? [
              {
                when,
                what: `${one.place}: ${one.deleted + one.changed} rows changed that should have stayed`,
              },
            ]
          : []),
      ]);
  }
}

function aboutChange(when: string, change: Change): readonly Fault[] {
  const { place, rule, kept, others, moves } = change;
  if (moves) return [];
  return [
    ...others.map((what) => ({ when, what: `${place}: a row of somebody else is ${what}` })),
    ...(rule?.fate === 'deleted' && kept > 0
      ? [{ when, what: `${place}: ${kept} rows of theirs are still there` }]
      : []),
    ...(rule?.fate === 'kept' && change.deleted + change.changed > 0
      ? [
          {
            when,
            what: `${place}: ${change.deleted + change.changed} rows went or changed that were to be kept`,
          },
        ]
      : []),
  ];
}

/** The report counts what really went, place by place. */
function miscounted(when: string, changes: readonly Change[], { counts }: RemovalReport): readonly Fault[] {
  return changes
    .filter((one) => !one.moves && one.rule !== undefined)
    .flatMap(({ place, deleted, changed }) => {
      const said = counts.find((one) => one.place === place)?.rows ?? 0;
      return said === deleted + changed
        ? []
        : [
            {
              when,
              what: `${place}: the report says ${said} rows, and ${deleted + changed} went or changed`,
            },
          ];
    });
}
