// Keeps score: which attack was tried on which object, and the worst it came to.
import type { Cell, Crossing, Outcome, Told } from './result.ts';

/** The attacks, in the matrix's order. */
export const ATTACKS = [
  'read',
  'COPY',
  'cursor',
  'prepared',
  'leaky filter',
  'EXPLAIN',
  'statistics',
  'call',
  'planted object',
  'insert',
  'move',
  'update',
  'delete',
  'upsert',
  'MERGE',
  'TRUNCATE',
  'LOCK',
  'foreign key',
  'existence',
  'side effect',
  'no setting',
  'empty setting',
  'malformed setting',
  'savepoint',
  'next request',
  'SET ROLE',
  'session authorization',
  'new partition',
  'sequence',
  'large object',
  'NOTIFY',
] as const;

export type Attack = (typeof ATTACKS)[number];

const MOST_CROSSINGS_A_CELL = 2;

/** Scores of one run. */
export class Board {
  readonly crossings: Crossing[] = [];
  readonly told: Told[] = [];
  /** Some session that worked for an owner read or wrote a row of its own: what it did not reach of others says something. */
  saw = false;
  #tried = 0;
  readonly #cells = new Map<string, { object: string; attack: Attack; outcome: Outcome; tried: number }>();
  readonly #objects: readonly string[];

  constructor(objects: readonly string[]) {
    this.#objects = objects;
  }

  get attempts(): number {
    return this.#tried;
  }

  /** Counts one attempt that gave nothing so far. */
  tried(object: string, attack: Attack): void {
    this.#tried += 1;
    this.#cell(object, attack).tried += 1;
  }

  /** Marks a cell as told; a crossing stays one. */
  tell(object: string, attack: Attack): void {
    const cell = this.#cell(object, attack);
    if (cell.outcome === 'held') cell.outcome = 'told';
  }

  /** Says something beside the matrix, once. */
  say(told: Told): void {
    if (this.told.some((one) => one.subject === told.subject && one.what === told.what)) return;
    this.told.push(told);
  }

  /** Marks a cell as crossed; of many ways through one cell the first few are kept, one a role and state. */
  cross(crossing: Crossing & { readonly attack: Attack }): void {
    this.#cell(crossing.object, crossing.attack).outcome = 'crossed';
    const alike = this.crossings.filter(
      (one) => one.object === crossing.object && one.attack === crossing.attack,
    );
    if (alike.length >= MOST_CROSSINGS_A_CELL) return;
    if (alike.some((one) => one.role === crossing.role && one.state === crossing.state)) return;
    this.crossings.push(crossing);
  }

  /** Whether this cell was crossed by this role in enough ways to show: what more there is adds nothing. */
  knows(object: string, attack: Attack, role: string): boolean {
    const alike = this.crossings.filter((one) => one.object === object && one.attack === attack);
    return (
      alike.length >= MOST_CROSSINGS_A_CELL || (alike.length > 1 && alike.some((one) => one.role === role))
    );
  }

  crossed(object: string, attack: Attack): boolean {
    return this.#cells.get(`${object}\n${attack}`)?.outcome === 'crossed';
  }

  /** Every object by every attack, in order; what was never tried is `none`. */
  cells(): Cell[] {
    return this.#objects.flatMap((object) =>
      ATTACKS.map(
        (attack) =>
          this.#cells.get(`${object}\n${attack}`) ?? { object, attack, outcome: 'none' as const, tried: 0 },
      ),
    );
  }

  #cell(object: string, attack: Attack): { outcome: Outcome; tried: number } {
    const key = `${object}\n${attack}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { object, attack, outcome: 'held', tried: 0 };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}
