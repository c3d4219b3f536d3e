// The lives of partitions and parts of archives, gathered day by day for the picture.
import { label, type Place, type RelationName } from '../../define/index.ts';
import type { OpenPart } from './archive.ts';
import type { Life, Track } from './timeline.ts';

interface Growing {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
  readonly madeAt: Date;
  leftAt?: Date;
  goneAt?: Date;
  archived: boolean;
}

/** The partitions of one relation as they come and go. */
export class TrackBook {
  readonly #of: RelationName;
  readonly #lives = new Map<string, Growing>();

  constructor(of: RelationName) {
    this.#of = of;
  }

  /** Writes down what is there now. */
  see(now: Date, places: readonly Place[], parts: readonly OpenPart[]): void {
    const online = new Set<string>();
    for (const { name, from, to } of places) {
      const key = keyOf(from, to);
      online.add(key);
      if (!this.#lives.has(key)) this.#lives.set(key, { name, from, to, madeAt: now, archived: false });
    }
    const archived = parts.flatMap((part) => (part.from === null || part.to === null ? [] : [part]));
    for (const [key, life] of this.#lives) {
      if (online.has(key)) continue;
      life.leftAt ??= now;
      // A part may hold less than the whole partition: rows that stayed to the day were moved in batches.
      const kept = archived.some(
        ({ from, to }) => from !== null && to !== null && from < life.to && to > life.from,
      );
      life.archived ||= kept;
      if (!kept) life.goneAt ??= now;
    }
  }

  /** What was seen. */
  track(): Track {
    const lives: Life[] = [...this.#lives.values()];
    return {
      relation: label(this.#of),
      lives: lives.sort((left, right) => left.from.getTime() - right.from.getTime()),
    };
  }
}

function keyOf(from: Date, to: Date): string {
  return `${from.getTime()}-${to.getTime()}`;
}
