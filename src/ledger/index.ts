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
export {
  endSessionsOf,
  holdLeadSql,
  leadApplication,
  leaderOf,
  leadHeld,
  leadLost,
  releaseLead,
  renewLead,
  takeLead,
} from './lead.ts';
export type { Challenge, Lead, LeadAt, Leader } from './lead.ts';
export { forgetTexts, TEXT_TABLES } from './forget.ts';
export { closeJobRun, jobRows, jobRuns, noteElsewhere, noteJobs, openJobRun, skipDue } from './jobs.ts';
export type { Closing, JobRow, JobRunRow, JobRunState, Opening } from './jobs.ts';
export { listPieces, putPiece, removePiece } from './pieces.ts';
export type { PieceOwner, PieceQuery, PieceRow } from './pieces.ts';
export { hasProofs, proofRows, putProof } from './proofs.ts';
export type { ProofRow } from './proofs.ts';
