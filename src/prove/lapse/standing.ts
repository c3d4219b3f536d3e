// The figures of one relation over a whole replay.
import { label, type RelationName } from '../../define/index.ts';
import type { Tally } from './residence.ts';

/** What became of a relation's rows. */
export interface Figures {
  readonly relation: string;
  /** Written, and deleted by the traffic itself. */
  readonly inserted: number;
  readonly withdrawn: number;
  readonly online: number;
  readonly archived: number;
  /** Gone for good by the promise. */
  readonly deleted: number;
  /** Age of the youngest row when it left the table, in milliseconds; null where none left. */
  readonly earliestLeaveMs: number | null;
  /** Age of the oldest row that was seen in the table. */
  readonly longestStayMs: number | null;
  /** The least room ahead that was seen; null where nothing promises room. */
  readonly headroomMs: number | null;
}

/** Gathers them. */
export class Standing {
  readonly #of: RelationName;
  #inserted = 0;
  #withdrawn = 0;
  #last: Tally | undefined;
  #leftMs = Number.NEGATIVE_INFINITY;
  #earliestLeaveMs: number | null = null;
  #longestStayMs: number | null = null;
  #headroomMs: number | null = null;

  constructor(of: RelationName) {
    this.#of = of;
  }

  /** The traffic wrote and withdrew so many rows. */
  wrote(inserted: number, withdrawn: number): void {
    this.#inserted += inserted;
    this.#withdrawn += withdrawn;
  }

  /** The rows were counted. */
  count(now: Date, tally: Tally): void {
    this.#last = tally;
    const left = tally.youngestLeft?.getTime();
    if (left !== undefined && left > this.#leftMs) {
      this.#leftMs = left;
      this.#earliestLeaveMs = Math.min(this.#earliestLeaveMs ?? Infinity, now.getTime() - left);
    }
    if (tally.oldestOnline === null) return;
    const stay = now.getTime() - tally.oldestOnline.getTime();
    this.#longestStayMs = Math.max(this.#longestStayMs ?? 0, stay);
  }

  /** So much room was ahead. */
  room(headroomMs: number): void {
    this.#headroomMs = Math.min(this.#headroomMs ?? Infinity, headroomMs);
  }

  /** The figures so far. */
  figures(): Figures {
    const { online = 0, archived = 0 } = this.#last ?? {};
    return {
      relation: label(this.#of),
      inserted: this.#inserted,
      withdrawn: this.#withdrawn,
      online,
      archived,
      deleted: this.#inserted - this.#withdrawn - online - archived,
      earliestLeaveMs: this.#earliestLeaveMs,
      longestStayMs: this.#longestStayMs,
      headroomMs: this.#headroomMs,
    };
  }
}
