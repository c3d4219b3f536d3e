// The keepers of a replay: one or several, sent away, called back, and killed at a statement that chance picks.
import type { Client } from 'pg';
import type { Definition } from '../../define/index.ts';
import { openKeeper, type Keeper } from '../../keep/index.ts';
import { ledgerDefaults } from '../../ledger/index.ts';
import { close, connect } from '../../server/index.ts';
import type { SimulatedClock } from './clock.ts';
import { openRelay, type Relay } from './faults.ts';
import { JobBook } from './job-book.ts';
import { between, type Random } from './random.ts';
import type { JobFigures } from './report.ts';
import type { Finding } from './residence.ts';
import type { Variant } from './variants.ts';

/** What {@link openCrew} needs. */
export interface CrewRequest {
  readonly definition: Definition;
  readonly url: string;
  readonly clock: SimulatedClock;
  readonly variant: Variant;
  readonly random: Random;
}

interface Member {
  readonly keeper: Keeper;
  /** Present where keepers are killed. */
  readonly relay: Relay | undefined;
}

const REMEMBERED_TICKS = 8;
// Longer than any lease, in steps as keepers tick when nothing is due.
const TAKEOVER_STEPS = 20;
const TAKEOVER_STEP_MS = 15_000;
// Simulated milliseconds to a real one while somebody sleeps within a tick.
const STRIDE_MS = 20;

/** Opens the keepers of a variant. */
export async function openCrew(request: CrewRequest): Promise<Crew> {
  const crew = new Crew(request, await connect(request.url));
  await crew.enter();
  return crew;
}

/** The keepers as a replay sees them. */
export class Crew {
  readonly #request: CrewRequest;
  readonly #client: Client;
  readonly #jobs: JobBook;
  #members: Member[] = [];
  #named = 0;
  /** Statements of the last ticks, a few days of them: what a kill is aimed into. */
  #statements: number[] = [1];
  ticks = 0;
  kills = 0;

  constructor(request: CrewRequest, client: Client) {
    this.#request = request;
    this.#client = client;
    this.#jobs = new JobBook(request.definition.jobs, {
      client,
      schema: ledgerDefaults.schema,
      definition: request.definition.name,
    });
  }

  /** Everybody does what is due now; `kill`: the first dies at a random statement of it, and another takes over. */
  async tick(kill: boolean): Promise<void> {
    if (this.#members.length === 0) return;
    this.ticks += 1;
    const at = this.#request.clock.now();
    if (kill) await this.#tickAndDie();
    else await this.#tickAll();
    await this.#jobs.read(at);
  }

  async #tickAll(): Promise<void> {
    const before = this.#count();
    await this.#whileTimePasses(Promise.all(this.#members.map(({ keeper }) => keeper.tick())));
    this.#statements = [...this.#statements.slice(1 - REMEMBERED_TICKS), this.#count() - before];
  }

  // Whoever pauses while keepers work sleeps on the moved clock, which then runs, faster than real time.
  async #whileTimePasses<T>(work: Promise<T>): Promise<T> {
    const { clock } = this.#request;
    const timer = setInterval(() => {
      const wakeMs = clock.nextWakeMs();
      if (wakeMs !== undefined) clock.pass(Math.min(wakeMs, STRIDE_MS));
    }, 1);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }

  #count(): number {
    return this.#members.reduce((sum, { relay }) => sum + (relay?.statements() ?? 0), 0);
  }

  async #tickAndDie(): Promise<void> {
    const { random, clock } = this.#request;
    const at = clock.now();
    // The leader is the one that does the work; the others are behind relays too, and any of them may be hit.
    const cut = { statement: between(random, 1, Math.max(1, ...this.#statements)), given: random() < 0.5 };
    const [leader, ...others] = this.#members;
    if (leader?.relay === undefined) return;
    const { keeper, relay } = leader;
    const reached = relay.arm(cut);
    // What a killed keeper says last is heard by nobody.
    const died = keeper.tick().catch(() => undefined);
    await this.#whileTimePasses(Promise.race([died, reached]));
    relay.disarm();
    this.kills += 1;
    await keeper.abandon();
    await relay.close();
    await died;
    this.#members = [...others, await this.#member()];
    await this.#takeOver(at);
  }

  /** The others tick until one has the lease and has done what was due when the leader died. */
  async #takeOver(at: Date): Promise<void> {
    const { clock } = this.#request;
    for (let step = 0; step < TAKEOVER_STEPS; step += 1) {
      clock.pass(TAKEOVER_STEP_MS);
      const now = clock.now();
      await this.#tickAll();
      await this.#jobs.read(now);
      if (this.#jobs.doneUpTo(at)) return;
    }
  }

  /** All of them stop; until {@link Crew.enter} nobody ticks. */
  async leave(): Promise<void> {
    for (const { keeper, relay } of this.#members) {
      await keeper.stop();
      await relay?.close();
    }
    this.#members = [];
  }

  /** As many keepers as the variant has begin. */
  async enter(): Promise<void> {
    for (let at = 0; at < (this.#request.variant.keepers ?? 1); at += 1)
      this.#members.push(await this.#member());
  }

  /** What is wrong with the jobs themselves. */
  check(): readonly Finding[] {
    return this.#jobs.check();
  }

  /** When a job was due last, as of the last tick; null before the first. */
  ranAt(job: string): Date | null {
    return this.#jobs.ranAt(job);
  }

  /** When a job last succeeded, by the clock; null before it did. */
  succeededAt(job: string): Date | null {
    return this.#jobs.succeededAt(job);
  }

  /** What became of each job. */
  figures(): readonly JobFigures[] {
    return this.#jobs.figures();
  }

  /** How many times a job was held against its schedule. */
  get checks(): number {
    return this.#jobs.checks;
  }

  /** The keepers leave for good. */
  async stop(): Promise<void> {
    await this.leave();
    await close(this.#client);
  }

  async #member(): Promise<Member> {
    const { definition, url, clock, variant } = this.#request;
    const relay = variant.killEveryDays === undefined ? undefined : await openRelay(url);
    this.#named += 1;
    const name = `lapse ${this.#named}`;
    return { keeper: await openKeeper(definition, relay?.url ?? url, { clock, name }), relay };
  }
}
