// The `holdfast` schema inside the user's database.
export { hasLedger, LEDGER_MARK, ledgerDefaults, migrate } from './migrate.ts';
export { holdLease, leaseDefaults, leaseHeld, releaseLease, renewLease, takeLease } from './lease.ts';
export type { Holder, Lease } from './lease.ts';
export {
  lastApplied,
  markDone,
  markFailed,
  markStarted,
  openRun,
  runs,
  setRunState,
  stepsOf,
  unfinishedRun,
} from './ledger.ts';
export type { Run, RunState, StepKey, StepRow } from './ledger.ts';
