// One replay: days of traffic and ticks of the keeper on a moved clock, every day held against the promises.
import type { Client } from 'pg';
import {
  label,
  type CatalogueQuery,
  type Definition,
  type Piece,
  type RelationName,
} from '../../define/index.ts';
import { ident } from '../../sql.ts';
import { ledgerDefaults } from '../../ledger/index.ts';
import { Archive, type OpenPart } from './archive.ts';
import { bookRows, openBooks, type Booked } from './book.ts';
import type { SimulatedClock } from './clock.ts';
import type { Crew } from './crew.ts';
import { checkHorizon, checkSum } from './horizon.ts';
import type { Of, Promises } from './promises.ts';
import type { Random } from './random.ts';
import { checkContent, checkResidence, type Finding, type ResidenceScene } from './residence.ts';
import { slicesOf } from './slices.ts';
import { Standing } from './standing.ts';
import { TrackBook } from './tracks.ts';
import type { Traffic, TrafficContext, Written } from './traffic.ts';

const DAY_MS = 86_400_000;
/** How far back the traffic may touch rows, in days. */
export const TOUCH_DAYS = 3;
const CONTENT_EVERY_DAYS = 7;

/** What one replay works with. */
export interface Ground {
  readonly definition: Definition;
  readonly promises: Promises;
  readonly traffic: Traffic;
  /** The session of the books and checks, in UTC. */
  readonly client: Client;
  readonly context: TrafficContext;
  readonly clock: SimulatedClock;
  readonly crew: Crew;
  readonly random: Random;
  readonly from: Date;
  readonly rowsPerDay: number;
}

/** A finding of a day. */
export interface Failure extends Finding {
  readonly day: number;
  /** The simulated instant. */
  readonly at: Date;
}

interface Relation {
  readonly book: Booked;
  readonly archive: Archive;
  readonly track: TrackBook;
  readonly standing: Standing;
}

/** The state of a replay between two of its steps. */
export class Replay {
  readonly #ground: Ground;
  readonly #query: CatalogueQuery;
  #relations: readonly Relation[] = [];
  #wroteAt: Date;
  #checks = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#query = queryOf(ground.client);
    this.#wroteAt = ground.from;
  }

  /** Opens the books and lets the traffic begin. */
  async begin(): Promise<void> {
    const { definition, promises, traffic, context, random, from, rowsPerDay } = this.#ground;
    await this.#query(`SET TIME ZONE 'UTC'`);
    const to = new Date(from.getTime() + DAY_MS);
    const slices = slicesOf({ began: from, from, to, rowsPerDay, touchDays: TOUCH_DAYS, random });
    const [first] = slices;
    if (first !== undefined) await traffic.begin?.(context, first);
    const books = await openBooks({
      query: this.#query,
      model: definition.model,
      relations: promises.relations,
      tenant: traffic.tenant,
    });
    this.#relations = books.map((book) => ({
      book,
      archive: new Archive(this.#query, book),
      track: new TrackBook(book.of),
      standing: new Standing(book.of),
    }));
  }

  /** Traffic until `to`, then the clock stands there. Gives what the books find wrong with it. */
  async pass(to: Date): Promise<readonly Finding[]> {
    const { traffic, context, clock, random, rowsPerDay, from: began } = this.#ground;
    const from = clock.now();
    const stretch = { began, from, to, rowsPerDay, touchDays: TOUCH_DAYS, random };
    const slices = slicesOf(stretch);
    const written: Written[] = [];
    for (const slice of slices) written.push(...(await traffic.write(context, slice)));
    const since = slices[0]?.touchFrom;
    const findings = since === undefined ? [] : await this.#book(written, since);
    clock.pass(Math.max(0, to.getTime() - from.getTime()));
    this.#wroteAt = to;
    return findings;
  }

  async #book(written: readonly Written[], since: Date): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const { book, rows } of await bookRows(this.#query, this.books(), since)) {
      const own = written.filter(({ relation }) => same(relation, book.of));
      const inserted = own.reduce((sum, one) => sum + one.inserted, 0);
      const deleted = own.reduce((sum, one) => sum + one.deleted, 0);
      this.#standingOf(book.of)?.wrote(inserted, deleted);
      this.#checks += 1;
      if (rows === inserted - deleted) continue;
      findings.push({
        check: 'every insert finds a place and stays there',
        subject: `table ${label(book.of)}`,
        expected: `${inserted} rows more and ${deleted} rows less, as they were written`,
        found: `${rows} rows more`,
      });
    }
    return findings;
  }

  /** Holds everything against the promises, as things stand at the clock's time. */
  async check(day: number): Promise<readonly Finding[]> {
    const pieces = await this.#pieces();
    const findings: Finding[] = [];
    for (const relation of this.#relations)
      findings.push(...(await this.#checkRelation(relation, { day, pieces })));
    for (const sum of this.#ground.promises.sums) {
      // Figures are promised once the job has run; what was written since is not in them.
      const upTo = this.#ground.crew.succeededAt(sum.job);
      if (upTo === null || upTo < this.#wroteAt) continue;
      this.#checks += 1;
      findings.push(...(await checkSum(this.#query, sum, this.books())));
    }
    return findings;
  }

  async #checkRelation(
    { book, archive, track, standing }: Relation,
    { day, pieces }: { readonly day: number; readonly pieces: ReadonlyMap<string, readonly Piece[]> },
  ): Promise<Finding[]> {
    const { promises, clock, crew, definition } = this.#ground;
    const now = clock.now();
    const look = (trait: string) => ({
      model: definition.model,
      query: this.#query,
      now,
      pieces: pieces.get(trait) ?? [],
    });
    const residence = find(promises.residences, book.of);
    const listed = (await residence?.archive?.parts(look(residence.trait))) ?? [];
    const parts: readonly OpenPart[] = await archive.open(listed);
    const ranAt = residence === undefined ? null : crew.ranAt(residence.job);
    const scene: ResidenceScene = { book, residence, parts, now, ranAt };
    const { findings, tally } = await checkResidence(this.#query, scene);
    standing.count(now, tally);
    const found = [...findings];
    this.#checks += 1;
    if (day % CONTENT_EVERY_DAYS === 0) found.push(...(await checkContent(this.#query, scene)));
    const horizon = find(promises.horizons, book.of);
    if (horizon === undefined) return found;
    const places = await horizon.places(look(horizon.trait));
    track.see(now, places, parts);
    const room = checkHorizon({ horizon, places, now, ranAt: crew.ranAt(horizon.job) });
    standing.room(room.headroomMs);
    this.#checks += 1;
    return [...found, ...room.findings];
  }

  /** The books of the relations, in order. */
  books(): readonly Booked[] {
    return this.#relations.map((one) => one.book);
  }

  /** How many times something was held against a promise. */
  get checks(): number {
    return this.#checks;
  }

  /** What there is to show of each relation. */
  shown(): readonly { readonly standing: Standing; readonly track: TrackBook }[] {
    return this.#relations;
  }

  #standingOf(of: RelationName): Standing | undefined {
    return this.#relations.find((one) => same(one.book.of, of))?.standing;
  }

  async #pieces(): Promise<ReadonlyMap<string, readonly Piece[]>> {
    const rows = await this.#query<Piece & { readonly trait: string }>(PIECES_SQL, [
      this.#ground.definition.name,
    ]);
    const byTrait = new Map<string, Piece[]>();
    for (const row of rows) byTrait.set(row.trait, [...(byTrait.get(row.trait) ?? []), row]);
    return byTrait;
  }
}

const PIECES_SQL = `SELECT trait, subject, piece, state, detail FROM ${ident(ledgerDefaults.schema)}.piece
  WHERE definition = $1 ORDER BY trait, subject, piece`;

/** A session as the contract's query. */
export function queryOf(client: Client): CatalogueQuery {
  return async <Row extends object>(sql: string, values?: readonly unknown[]) =>
    (await client.query<Row>(sql, values === undefined ? undefined : [...values])).rows;
}

function same(one: RelationName, other: RelationName): boolean {
  return one.schema === other.schema && one.name === other.name;
}

function find<P extends { readonly of: RelationName }>(
  all: readonly Of<P>[],
  of: RelationName,
): Of<P> | undefined {
  return all.find((one) => same(one.of, of));
}
