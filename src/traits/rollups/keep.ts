// What must happen to rollups over time: views are refreshed, sums brought up to date and closed before their rows leave.
import type { Kept, LeavingRange, Task, TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { Trait } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { qualified } from '../../sql.ts';
import { relationOf } from '../reference.ts';
import { RAISED } from './function.ts';
import type { RollupsOptions } from './index.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { namesOf } from './incremental/plan.ts';
import { refreshName } from './refresh.ts';

/** The jobs these tasks hang on unless the definition says otherwise. */
export const REFRESH_JOB = 'refresh';
export const ROLLUP_JOB = 'rollup';
const MINUTE_MS = 60_000;

/** The refresh of one view, hourly. It is one transaction: a kill at any point leaves the view as it was. */
export function keepView(of: RelationName, options: RollupsOptions): Kept {
  const call = qualified(refreshName(of));
  const subject = `materialised view ${label(of)}`;
  const task: Task = {
    job: options.job ?? REFRESH_JOB,
    trait: 'rollups',
    subject,
    run: async ({ session, now }) => {
      const [row] = await told(subject, () =>
        session.transaction((query) =>
          query<{ held: string; without_key: string }>(`SELECT held, without_key FROM ${call}($1)`, [now]),
        ),
      );
      const keyless = Number(row?.without_key ?? 0);
      const what = `refreshed${keyless === 0 ? '' : `; ${keyless} of its rows have a NULL in the key and are written anew each time: COALESCE it`}`;
      return { rows: Number(row?.held ?? 0), what };
    },
    sql: () => [`SELECT held, without_key FROM ${call}()`],
  };
  return { jobs: { [REFRESH_JOB]: { schedule: { cron: '0 * * * *' } } }, tasks: [task] };
}

/** Bringing one table of sums up to date, at once and every minute: it costs what changed since. */
export function keepCounts(of: RelationName, options: IncrementalOptions): Kept {
  const call = qualified(namesOf(of).settle);
  const subject = `rollup ${label(of)}`;
  const task: Task = {
    job: options.job ?? ROLLUP_JOB,
    trait: 'rollups',
    subject,
    run: async ({ session, now }) => {
      const [row] = await told(subject, () =>
        session.transaction((query) => query<Settled>(`SELECT touched, came_late FROM ${call}($1)`, [now])),
      );
      const { touched, late } = counts(row);
      return {
        rows: touched,
        ...(late > 0 && { what: `${late} touched rows stand for a time that is closed: sums only` }),
      };
    },
    sql: () => [`SELECT touched, came_late FROM ${call}()`],
  };
  return { jobs: { [ROLLUP_JOB]: { schedule: { everyMs: MINUTE_MS }, atStart: true } }, tasks: [task] };
}

/**
 * Closes a range of one rollup before its rows leave: what is pending is added, figures that are counted anew are so for
 * the last time, and from then on a row deleted from the range is not taken off. All in one transaction.
 */
export function closing(of: RelationName, options: IncrementalOptions): NonNullable<Trait['leaving']> {
  const source = relationOf(options.of);
  return (leavingOf, range) => {
    if (leavingOf.schema !== source.schema || leavingOf.name !== source.name) return undefined;
    return (context) => close(context, of, { options, range });
  };
}

interface Settled {
  readonly touched: string;
  readonly came_late: string;
}

// oxlint-disable-next-line max-params -- what runs, on what, how
async function close(
  context: TaskContext,
  of: RelationName,
  by: { readonly options: IncrementalOptions; readonly range: LeavingRange },
): Promise<void> {
  const { range, options } = by;
  const time = options.time === undefined ? undefined : named(options.time);
  const subject = `rollup ${label(of)}`;
  if (time !== range.column) {
    throw new HoldfastError({
      code: 'HF_ROLLUP_LEAVING',
      subject,
      what: `rows leave ${label(relationOf(options.of))} by ${range.column}, and the rollup ${time === undefined ? 'names no time' : `goes by ${time}`}; they stay, or it would forget them.`,
      fix: `Give the rollup time: '${range.column}'.`,
    });
  }
  const call = qualified(namesOf(of).settle);
  await told(subject, () =>
    context.session.transaction((query) =>
      query(`SELECT touched FROM ${call}($1, pg_catalog.tstzrange($2, $3, '[)'))`, [
        context.now,
        range.from,
        range.to,
      ]),
    ),
  );
}

function named(column: NonNullable<IncrementalOptions['time']>): string {
  return typeof column === 'string' ? column : column.name;
}

function counts(row: Settled | undefined): { readonly touched: number; readonly late: number } {
  return { touched: Number(row?.touched ?? 0), late: Number(row?.came_late ?? 0) };
}

const CODES: Readonly<Record<string, `HF_${string}`>> = {
  [RAISED.forgets]: 'HF_ROLLUP_FORGETS',
  [RAISED.foreignRows]: 'HF_ROLLUP_FOREIGN_ROWS',
  [RAISED.owner]: 'HF_ROLLUP_OWNER',
  [RAISED.floor]: 'HF_ROLLUP_FLOOR',
};

/** What the functions raise as the toolkit's own errors; everything else as it is. */
async function told<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
    const known = code === undefined ? undefined : CODES[code];
    if (known === undefined) throw error;
    const what = `${(message ?? '').replace(/\.?$/, '')}.`;
    throw new HoldfastError({ code: known, subject, what, fix: hint ?? '', cause: error });
  }
}
