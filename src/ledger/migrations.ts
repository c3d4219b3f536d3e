// The ledger's own schema, one numbered text per version. A text that was released never changes; a new one is added.

/** One version of the ledger's schema. */
export interface Migration {
  readonly number: number;
  /** Binaries that do not know this version must not write any more. */
  readonly breaking: boolean;
  /** Statements for a ledger in `schema`, which is quoted already. */
  readonly sql: (schema: string) => string;
}

/** All versions, oldest first. */
export const migrations: readonly Migration[] = [
  {
    number: 1,
    breaking: true,
    sql: (schema) => `
CREATE TABLE ${schema}.run (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plan_id text NOT NULL,
  definition text,
  plan jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('applying', 'applied', 'rolling back', 'rolled back')),
  started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished_at timestamptz,
  by_role text NOT NULL DEFAULT session_user,
  by_host text NOT NULL
);
COMMENT ON TABLE ${schema}.run IS 'One row each time a plan is applied.';
CREATE UNIQUE INDEX run_unfinished ON ${schema}.run ((true)) WHERE state IN ('applying', 'rolling back');
CREATE TABLE ${schema}.step (
  run bigint NOT NULL REFERENCES ${schema}.run,
  direction text NOT NULL CHECK (direction IN ('forward', 'back')),
  number integer NOT NULL,
  part integer NOT NULL DEFAULT 0,
  state text NOT NULL CHECK (state IN ('started', 'done')),
  started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished_at timestamptz,
  attempts integer NOT NULL DEFAULT 1,
  error text,
  PRIMARY KEY (run, direction, number, part)
);
COMMENT ON TABLE ${schema}.step IS 'One row a statement: transactional ones commit together with theirs.';
CREATE TABLE ${schema}.lease (
  name text PRIMARY KEY,
  fence bigint NOT NULL,
  backend_pid integer,
  host text,
  process_pid integer,
  since timestamptz,
  renewed_at timestamptz
);
COMMENT ON TABLE ${schema}.lease IS 'Who may change the structure now; the fence grows with every holder.';
INSERT INTO ${schema}.lease (name, fence) VALUES ('structure', 0);
REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schema} FROM PUBLIC;`,
  },
  {
    number: 2,
    breaking: false,
    sql: (schema) => `
ALTER TABLE ${schema}.lease ADD COLUMN beat bigint NOT NULL DEFAULT 0, ADD COLUMN holder text,
  ADD COLUMN busy boolean NOT NULL DEFAULT false, ADD COLUMN keeper_fence bigint;
COMMENT ON COLUMN ${schema}.lease.beat IS 'Grows each time the holder says that it lives.';
COMMENT ON COLUMN ${schema}.lease.holder IS 'Who leads, as it calls itself; nobody when null.';
COMMENT ON COLUMN ${schema}.lease.busy IS 'Whether a job runs; a command may step in between two of them.';
COMMENT ON COLUMN ${schema}.lease.keeper_fence IS 'The fence of the last keeper that led, commands left out.';
INSERT INTO ${schema}.lease (name, fence) VALUES ('keeper', 0);
CREATE TABLE ${schema}.job (
  definition text NOT NULL,
  name text NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_due_at timestamptz NOT NULL,
  served_due_at timestamptz NOT NULL,
  last_started_at timestamptz,
  last_success_at timestamptz,
  attempt integer NOT NULL DEFAULT 0,
  retry_at timestamptz,
  failures integer NOT NULL DEFAULT 0,
  last_error text,
  runs_done bigint NOT NULL DEFAULT 0,
  runs_failed bigint NOT NULL DEFAULT 0,
  runs_cut_off bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (definition, name)
);
COMMENT ON COLUMN ${schema}.job.runs_done IS 'Runs since ever by how they ended, and their rows and bytes: they only grow, while runs are forgotten.';
COMMENT ON TABLE ${schema}.job IS 'Where each job of the keeper stands; times are those of the keeper''s clock.';
COMMENT ON COLUMN ${schema}.job.last_due_at IS 'The newest time it was due and was begun for.';
COMMENT ON COLUMN ${schema}.job.served_due_at IS 'The newest time it was due and succeeded for; at first, when it was first seen.';
COMMENT ON COLUMN ${schema}.job.failures IS 'Runs that failed since the last success.';
CREATE TABLE ${schema}.job_run (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  definition text NOT NULL,
  job text NOT NULL,
  due_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  state text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cut off')),
  attempt integer NOT NULL DEFAULT 1,
  rows bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  duration_ms bigint,
  tasks jsonb NOT NULL DEFAULT '[]',
  error text,
  fence bigint NOT NULL,
  by_host text NOT NULL
);
COMMENT ON TABLE ${schema}.job_run IS 'One row each time a job ran; the oldest go.';
CREATE INDEX job_run_job ON ${schema}.job_run (definition, job, run);
CREATE TABLE ${schema}.piece (
  definition text NOT NULL,
  trait text NOT NULL,
  subject text NOT NULL,
  piece text NOT NULL,
  state text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (definition, trait, subject, piece)
);
COMMENT ON TABLE ${schema}.piece IS 'What is on its way through several states: each step commits with its effect.';
REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schema} FROM PUBLIC;`,
  },
  {
    number: 3,
    breaking: false,
    sql: (schema) => `
CREATE TABLE ${schema}.proof (
  record bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  definition text NOT NULL,
  proof text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('held', 'broken', 'noisy', 'not shown')),
  line text NOT NULL,
  figures jsonb NOT NULL,
  evidence jsonb NOT NULL,
  fingerprint text NOT NULL,
  server_version text NOT NULL,
  target text NOT NULL,
  release text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  by_role text NOT NULL DEFAULT session_user,
  by_host text NOT NULL
);
COMMENT ON TABLE ${schema}.proof IS 'One row each time something was shown on this database, or was not; the oldest go.';
COMMENT ON COLUMN ${schema}.proof.fingerprint IS 'The structure that was there, as SHA-256 of its catalogue.';
COMMENT ON COLUMN ${schema}.proof.started_at IS 'By the clock of whoever ran it, like finished_at.';
CREATE INDEX proof_proof ON ${schema}.proof (definition, proof, record);
REVOKE ALL ON ${schema}.proof FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schema} FROM PUBLIC;`,
  },
];
