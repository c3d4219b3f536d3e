// What the keeper says of what it did. Values only.
import type { Job } from '../define/index.ts';

/** What one task of a run did. */
export interface TaskReport {
  readonly trait: string;
  readonly subject: string;
  readonly state: 'done' | 'failed' | 'cut off';
  readonly rows: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** One line on what was done; null when there was nothing to do. */
  readonly what: string | null;
  readonly error: string | null;
}

/** One run of a job. */
export interface RunReport {
  readonly job: string;
  /** Its number in the ledger; a text because it is a bigint. */
  readonly run: string;
  readonly dueAt: Date;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly attempt: number;
  /** `cut off`: the keeper stopped or lost the lead; the run begins again under the next leader. */
  readonly state: 'done' | 'failed' | 'cut off';
  readonly rows: number;
  readonly bytes: number;
  /** Real time, whatever the injected clock says. */
  readonly durationMs: number;
  readonly tasks: readonly TaskReport[];
  readonly error: string | null;
  /** When it is tried again; null when only its schedule brings it back. */
  readonly retryAt: Date | null;
}

/** What one tick of a keeper came to. */
export interface TickReport {
  readonly now: Date;
  /** Whether this keeper led when the tick ended. */
  readonly leading: boolean;
  /** The fence it led with; null while another leads. */
  readonly fence: string | null;
  /** Runs in the order they ended. */
  readonly runs: readonly RunReport[];
  /** Jobs whose missed times were passed over, as their settings ask. */
  readonly skipped: readonly string[];
}

/** What happens, as it happens. */
export type KeepEvent =
  | { readonly kind: 'leading'; readonly fence: string; readonly at: Date }
  | { readonly kind: 'following'; readonly leader: string; readonly at: Date }
  | { readonly kind: 'lost'; readonly at: Date }
  | {
      readonly kind: 'started';
      readonly job: string;
      readonly run: string;
      readonly attempt: number;
      readonly at: Date;
    }
  | { readonly kind: 'progress'; readonly job: string; readonly text: string; readonly at: Date }
  | { readonly kind: 'finished'; readonly report: RunReport; readonly at: Date }
  | { readonly kind: 'skipped'; readonly job: string; readonly dueAt: Date; readonly at: Date }
  /** Something the keeper itself met and goes on after: a lost connection. */
  | { readonly kind: 'trouble'; readonly error: string; readonly retryMs: number; readonly at: Date }
  /** Jobs that pg_cron runs from now on, and why the others stay. */
  | {
      readonly kind: 'registered';
      readonly jobs: readonly string[];
      readonly kept: readonly { readonly job: string; readonly why: string }[];
      readonly at: Date;
    }
  | { readonly kind: 'stopped'; readonly at: Date };

/** Sums and the outcome of tasks. */
export function summary(
  job: Job,
  tasks: readonly TaskReport[],
): { readonly rows: number; readonly bytes: number; readonly error: string | null } {
  const failed = tasks.filter((task) => task.state === 'failed');
  const said = failed.map((task) => `${task.subject}: ${task.error ?? 'it failed'}`).join('; ');
  return {
    rows: tasks.reduce((sum, task) => sum + task.rows, 0),
    bytes: tasks.reduce((sum, task) => sum + task.bytes, 0),
    error:
      failed.length === 0
        ? null
        : job.tasks.length === 1
          ? said
          : `${failed.length} of ${job.tasks.length} tasks failed: ${said}`,
  };
}
