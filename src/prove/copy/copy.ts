// What a scratch copy of a database is, to those who attack or fill it.
import type { Client, Pool } from 'pg';
import type { CatalogueQuery } from '../../define/trait.ts';
import type { ProofProgress } from '../evidence.ts';

/** Which database is copied, and where to. */
export interface CopyOptions {
  /** The database to copy. It is only read, in one read-only snapshot. */
  readonly url: string;
  /**
   * A superuser of a server of the same major to make the copy on. Default: an ephemeral embedded server of that major;
   * where its programs are not installed, the target's own server when the role of `url` is a superuser.
   */
  readonly scratchUrl?: string;
  /** Aborting ends the copy; what runs in it fails. */
  readonly signal?: AbortSignal;
  readonly now: Date;
  readonly onProgress?: (progress: ProofProgress) => void;
}

/** A copy of a database's structure, roles and settings, without its rows. */
export interface Copy {
  /** A superuser's session to the copy. Never shown. */
  readonly url: string;
  /** The same, as a pool. */
  readonly pool: Pool;
  /** Reads the copy's catalogue, with `pg_catalog` as its path. */
  readonly query: CatalogueQuery;
  readonly now: Date;
  /** `server_version_num` of the target: 180004 is 18.4. */
  readonly versionNumber: number;
  /** The copy lies on the target's own server. */
  readonly own: boolean;
  /** What could not be copied, or is not as it is on the target. */
  readonly left: readonly Left[];
  /**
   * A session as the role's own login: its settings and the database's apply, session_user = current_user = the role.
   * On an embedded server the role really logs in. Elsewhere a superuser's session is handed over with SET SESSION
   * AUTHORIZATION, which the same statement, its RESET and DISCARD ALL take back: `real` tells which. A role that may not
   * log in is reached by SET ROLE from a login role that is its member and has nothing else.
   * @returns a connected client; the caller ends it with `close`
   * @throws HoldfastError HF_COPY_ROLE when the role is not in the copy
   */
  readonly login: (role: string) => Promise<Client>;
  /** Whether {@link Copy.login} really logs in. */
  readonly real: boolean;
}

/** Something that the copy lacks or has otherwise, and why. */
export interface Left {
  readonly subject: string;
  readonly why: string;
}
