// Every command, in the order of the overview.
import type { Command } from '../command.ts';
import { alertsCommand } from './alerts.ts';
import { applyCommand } from './apply.ts';
import { archiveCommand } from './archive.ts';
import { eraseCommand } from './erase.ts';
import { exportCommand } from './export.ts';
import { keepCommand } from './keep.ts';
import { lapseCommand } from './lapse.ts';
import { metricsCommand } from './metrics.ts';
import { planCommand } from './plan.ts';
import { proveCommand } from './prove.ts';
import { rollbackCommand } from './rollback.ts';
import { runCommand } from './run.ts';
import { slowCommand } from './slow.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';

/** The commands of this release. */
export const COMMANDS: readonly Command[] = [
  upCommand,
  planCommand,
  applyCommand,
  rollbackCommand,
  statusCommand,
  proveCommand,
  keepCommand,
  runCommand,
  metricsCommand,
  alertsCommand,
  slowCommand,
  archiveCommand,
  eraseCommand,
  exportCommand,
  lapseCommand,
];
