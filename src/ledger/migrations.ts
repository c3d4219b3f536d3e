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
];
