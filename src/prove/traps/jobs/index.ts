// HT4xx: what runs by itself, and what looks at the server.
import type { TrapCheck } from '../check.ts';
import { jobAlwaysFails, jobCannotRun, jobNameShared, jobsCoincide, schedulerMissing } from './cron-jobs.ts';
import {
  monitoringReadsMissingColumn,
  sizeOfUnquotedName,
  statementsNotPreloaded,
  statementsOfAllDatabases,
} from './monitoring.ts';

export const jobs: readonly TrapCheck[] = [
  jobAlwaysFails,
  jobCannotRun,
  schedulerMissing,
  jobsCoincide,
  monitoringReadsMissingColumn,
  sizeOfUnquotedName,
  statementsNotPreloaded,
  statementsOfAllDatabases,
  jobNameShared,
];
