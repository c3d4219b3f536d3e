// The one error of the toolkit. Every layer throws it, the command line prints it, `--json` carries it whole.

/** What a {@link HoldfastError} is made of. */
export interface ErrorParts {
  /** Stable code for machines: `HF_` and capitals, never reused for another meaning. */
  readonly code: `HF_${string}`;
  /** The object the error is about, as PostgreSQL or the user names it: `table validahub.jobs`. */
  readonly subject: string;
  /** What happened, one sentence. */
  readonly what: string;
  /** What to do about it, one sentence that can be followed. */
  readonly fix: string;
  /** The error underneath, if there was one. */
  readonly cause?: unknown;
}

/**
 * An error a person can act on: a stable code, the object, what happened and what to do.
 * Secrets (passwords, connection strings) must never be put into any part of it.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: `HF_${string}`;
  readonly subject: string;
  readonly what: string;
  readonly fix: string;

  constructor(parts: ErrorParts) {
    super(
      `${parts.subject}: ${parts.what} ${parts.fix} [${parts.code}]`,
      parts.cause === undefined ? undefined : { cause: parts.cause },
    );
    this.code = parts.code;
    this.subject = parts.subject;
    this.what = parts.what;
    this.fix = parts.fix;
  }

  /** The machine-readable twin of the message. */
  toJSON(): { code: string; subject: string; what: string; fix: string } {
    return { code: this.code, subject: this.subject, what: this.what, fix: this.fix };
  }
}
