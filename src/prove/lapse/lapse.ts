// Time as a test: years of traffic and keeping on a real server with a moved clock, every day held against what the
// definition promises.
import type { Client } from 'pg';
import type { Definition } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { connect, close, withClient } from '../../server/index.ts';
import { ident, literal } from '../../sql.ts';
import { SimulatedClock } from './clock.ts';
import { openCrew, type Crew } from './crew.ts';
import { withPlace, type Place } from './place.ts';
import { promisesOf } from './promises.ts';
import { between, seeded, type Random } from './random.ts';
import { queryOf, Replay, type Failure } from './replay.ts';
import type { Lapse } from './report.ts';
import type { Finding } from './residence.ts';
import type { Mark } from './timeline.ts';
import type { Traffic } from './traffic.ts';
import type { Variant } from './variants.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Options of {@link lapse}. */
export interface LapseOptions {
  /** A server where a scratch database can be made: nothing else on it is touched. */
  readonly serverUrl: string;
  /** Midnight UTC of the first day. */
  readonly from: Date;
  readonly days: number;
  /** Rows a day in all tables together, roughly. */
  readonly rowsPerDay: number;
  /** A whole number: the same seed gives the same traffic and the same faults. */
  readonly seed: number;
  readonly variant: Variant;
  /** Hours of each day, ascending, at which keepers tick; the day is checked after the last. Default {@link lapseDefaults}. */
  readonly ticksAt?: readonly number[];
  /** Where relative globs of the definition's SQL files start. */
  readonly baseDir?: string;
  readonly signal?: AbortSignal;
  readonly onDay?: (day: number, days: number, now: Date) => void;
}

/** What stands where {@link LapseOptions} do not say. */
export const lapseDefaults = { ticksAt: [1.5, 13] as readonly number[], rowsPerDay: 40, seed: 1 } as const;

/**
 * Replays a stretch of time.
 * @returns what was found; the replay ends with the first day that is not as promised
 * @throws HoldfastError HF_LAPSE_NOTHING when the definition promises nothing about time; HF_LAPSE_OPTIONS; HF_INTERRUPTED
 *   when the signal aborted; what `plan`, `apply` and the keeper throw
 */
export async function lapse(definition: Definition, traffic: Traffic, options: LapseOptions): Promise<Lapse> {
  const began = performance.now();
  checkOptions(options);
  const promises = promisesOf(definition);
  const { serverUrl, from, baseDir, variant, seed, rowsPerDay } = options;
  return withPlace({ definition, serverUrl, now: from, baseDir }, async (place) => {
    const clock = new SimulatedClock(from);
    const random = seeded(seed);
    const [books, users] = [await connect(place.url), await connect(place.url)];
    const crew = await openCrew({
      definition,
      url: place.url,
      clock,
      variant,
      random: seeded(seed ^ 0x5eed),
    });
    try {
      const context = { url: place.url, query: queryOf(users), random };
      const replay = new Replay({
        definition,
        promises,
        traffic,
        client: books,
        context,
        clock,
        crew,
        random,
        from,
        rowsPerDay,
      });
      const course = new Course({ options, place, replay, clock, crew, users });
      const failures = await course.run();
      return {
        definition: definition.name,
        variant: variant.name,
        seed,
        from,
        days: course.days,
        rowsPerDay,
        ticks: crew.ticks,
        kills: crew.kills,
        checks: replay.checks + crew.checks,
        relations: replay.shown().map((one) => one.standing.figures()),
        jobs: crew.figures(),
        failures,
        picture: {
          title: `${definition.name}: ${variant.what}, from ${from.toISOString().slice(0, 10)}, seed ${seed}`,
          from,
          to: clock.now(),
          tracks: replay
            .shown()
            .map((one) => one.track.track())
            .filter((track) => track.lives.length > 0),
          marks: course.marks,
        },
        tookMs: performance.now() - began,
      };
    } finally {
      await crew.stop();
      await close(books);
      await close(users);
    }
  });
}

function checkOptions({ from, days, rowsPerDay, seed, ticksAt = lapseDefaults.ticksAt }: LapseOptions): void {
  if (Number.isNaN(from.getTime()) || from.getTime() % DAY_MS !== 0)
    refuse('it does not begin at a midnight of UTC.', 'Give a day: --from 2026-01-15.');
  if (!Number.isInteger(days) || days < 1) refuse(`it is of ${days} days.`, 'Give a whole number from 1.');
  if (!Number.isInteger(rowsPerDay) || rowsPerDay < 1)
    refuse(`it has ${rowsPerDay} rows a day.`, 'Give a whole number from 1.');
  if (!Number.isSafeInteger(seed)) refuse(`its seed is ${seed}.`, 'Give a whole number.');
  const rising = ticksAt.every((hour, at) => hour > (ticksAt[at - 1] ?? 0) && hour < 24);
  if (ticksAt.length === 0 || !rising)
    refuse(
      `its keepers tick at ${ticksAt.join(', ')} h.`,
      'Give hours of a day, rising, above 0 and below 24.',
    );
}

function refuse(what: string, fix: string): never {
  throw new HoldfastError({ code: 'HF_LAPSE_OPTIONS', subject: 'the replay', what, fix });
}

interface CourseGround {
  readonly options: LapseOptions;
  readonly place: Place;
  readonly replay: Replay;
  readonly clock: SimulatedClock;
  readonly crew: Crew;
  /** The session the traffic writes through. */
  readonly users: Client;
}

/** One replay from its first day to its last, with the trouble its variant brings. */
class Course {
  readonly #ground: CourseGround;
  readonly marks: Mark[] = [];
  readonly #chance: Random;
  #killDay: number | undefined;
  days = 0;

  constructor(ground: CourseGround) {
    this.#ground = ground;
    this.#chance = seeded(ground.options.seed ^ 0xfa17);
  }

  async run(): Promise<readonly Failure[]> {
    const { options, replay, crew } = this.#ground;
    await this.#zone(0);
    await replay.begin();
    await crew.tick(false);
    for (let day = 0; day < options.days; day += 1) {
      refuseAborted(options.signal);
      const findings = await this.#day(day);
      this.days = day + 1;
      options.onDay?.(day + 1, options.days, this.#ground.clock.now());
      if (findings.length > 0) return findings.map((one) => ({ ...one, day, at: this.#ground.clock.now() }));
    }
    return [];
  }

  async #day(day: number): Promise<readonly Finding[]> {
    const { options, crew, clock } = this.#ground;
    await this.#trouble(day);
    const findings: Finding[] = [];
    const { back } = options.variant;
    const dies = this.#dies(day);
    const ticksAt = options.ticksAt ?? lapseDefaults.ticksAt;
    for (const [at, hour] of ticksAt.entries()) {
      findings.push(...(await this.#pass(new Date(options.from.getTime() + day * DAY_MS + hour * HOUR_MS))));
      const kill = at === 0 && dies;
      if (kill) this.marks.push({ from: clock.now(), text: 'keeper killed' });
      findings.push(...(await this.#tick(kill)));
      if (at !== 0 || back === undefined || day % back.everyDays !== back.everyDays - 1) continue;
      this.marks.push({ from: clock.now(), text: 'clock stepped back' });
      clock.set(new Date(clock.now().getTime() - back.ms));
      findings.push(...(await this.#tick(false)));
    }
    findings.push(...crew.check());
    findings.push(...(await this.#check(day)));
    return findings;
  }

  async #tick(kill: boolean): Promise<readonly Finding[]> {
    try {
      await this.#ground.crew.tick(kill);
      return [];
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      const expected = 'a look at the jobs without an error';
      return [{ check: 'keepers go on whatever a job meets', subject: 'the keeper', expected, found: said }];
    }
  }

  // A piece of an archive that cannot be read back is what the replay is there to find.
  async #check(day: number): Promise<readonly Finding[]> {
    try {
      return await this.#ground.replay.check(day);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const { subject, what, code } = error;
      const expected = 'every place rows may be in to be readable';
      return [{ check: 'every row can be read back', subject, expected, found: `${what} [${code}]` }];
    }
  }

  // One day of each stretch, drawn when the stretch begins.
  #dies(day: number): boolean {
    const every = this.#ground.options.variant.killEveryDays;
    if (every === undefined) return false;
    if (day % every === 0) this.#killDay = day + between(this.#chance, 0, every - 1);
    return day === this.#killDay;
  }

  async #pass(to: Date): Promise<readonly Finding[]> {
    try {
      return await this.#ground.replay.pass(to);
    } catch (error) {
      // What the traffic may not write is what the replay is there to find; anything else is no finding.
      if (!(error instanceof Error) || !('code' in error) || error instanceof HoldfastError) throw error;
      const { code, message, table } = error as Error & { code: unknown; table?: string };
      return [
        {
          check: 'every insert finds a place and stays there',
          subject: table === undefined ? 'the traffic' : `table ${table}`,
          expected: 'every statement of the traffic to succeed',
          found: `${message} (SQLSTATE ${String(code)})`,
        },
      ];
    }
  }

  async #trouble(day: number): Promise<void> {
    const { options, crew, clock } = this.#ground;
    const { down, zones } = options.variant;
    if (day === down?.day) {
      const to = new Date(clock.now().getTime() + down.days * DAY_MS);
      this.marks.push({ from: clock.now(), to, text: 'no keeper' });
      await crew.leave();
    }
    if (down !== undefined && day === down.day + down.days) await crew.enter();
    if (zones === undefined || zones.length === 0) return;
    const stretch = Math.ceil(options.days / zones.length);
    if (day > 0 && day % stretch === 0) await this.#zone(day / stretch);
  }

  // Sessions take a database's settings when they begin, so the keepers begin anew.
  async #zone(at: number): Promise<void> {
    const { options, place, crew, users, clock } = this.#ground;
    const zone = options.variant.zones?.[at];
    if (zone === undefined) return;
    await withClient(place.url, async (client) => {
      await client.query(`ALTER DATABASE ${ident(place.database)} SET timezone = ${literal(zone.database)}`);
    });
    await users.query(`SET TIME ZONE ${literal(zone.session)}`);
    await crew.leave();
    await crew.enter();
    this.marks.push({ from: clock.now(), text: `database in ${zone.database}, sessions in ${zone.session}` });
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'the replay',
    what: 'it was stopped; its database has been dropped.',
    fix: 'Run it again with the same seed.',
  });
}
