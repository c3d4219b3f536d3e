// Taking the lead, keeping it, and noticing that it is gone.
import { setTimeout as wait } from 'node:timers/promises';
import {
  endSessionsOf,
  leaderOf,
  releaseLead,
  renewLead,
  takeLead,
  type Lead,
  type Leader,
} from '../ledger/index.ts';
import type { Control } from './connection.ts';
import type { Settings } from './options.ts';

/** What a claim to the lead came to. */
export type Claim =
  /** `fresh`: nobody of ours led since this keeper did last; its jobs that run at start are due. */
  { readonly lead: Lead; readonly taken: boolean; readonly fresh: boolean } | { readonly leader: Leader };

/** One challenger's view of the lead. */
export interface Leadership {
  /** Renews the lead or tries to take it. `lazily`: not more often than others need it. */
  readonly claim: (how?: 'lazily') => Promise<Claim>;
  readonly held: () => Lead | undefined;
  /** Aborted when the lead that is held is lost; another one belongs to the next lead. */
  readonly lost: () => AbortSignal;
  /** Says that somebody else leads. */
  readonly lose: () => void;
  /** Gives it back. */
  readonly release: () => Promise<void>;
  /** Renews by real time, beside the work, until told to stop. */
  readonly beat: () => { readonly stop: () => void };
}

const BLOCKED_TRIES = 20;
const LEFT_BEHIND_TRIES = 10;
const BLOCKED_MS = 50;

/** Opens a view of the lead for a keeper, or for a command that steps in between two jobs of a keeper. */
export function openLeadership(control: Control, settings: Settings, as: 'keeper' | 'command'): Leadership {
  return new Challenger(control, settings, as);
}

class Challenger implements Leadership {
  readonly #control: Control;
  readonly #settings: Settings;
  readonly #as: 'keeper' | 'command';
  #lead: Lead | undefined;
  #lost = new AbortController();
  #lastFence: string | undefined;
  #renewedMs = 0;
  // The beat that was last seen of a leader, and since when, by a clock that never steps back.
  #watched: { readonly fence: string; readonly beat: string; readonly sinceMs: number } | undefined;

  constructor(control: Control, settings: Settings, as: 'keeper' | 'command') {
    this.#control = control;
    this.#settings = settings;
    this.#as = as;
  }

  held(): Lead | undefined {
    return this.#lead;
  }

  lost(): AbortSignal {
    return this.#lost.signal;
  }

  lose(): void {
    if (this.#lead === undefined) return;
    this.#lead = undefined;
    this.#lost.abort();
    this.#settings.emit({ kind: 'lost', at: this.#settings.clock.now() });
  }

  async claim(how?: 'lazily'): Promise<Claim> {
    const recent = performance.now() - this.#renewedMs < this.#settings.leaseMs / 6;
    const held = how === 'lazily' && recent ? this.#lead : await this.#renew();
    if (held !== undefined) return { lead: held, taken: false, fresh: false };
    const client = await this.#control.client();
    const leader = await leaderOf(client, this.#at());
    if (leader === undefined) throw new Error('The ledger has no row for the lead of its keepers.');
    const silent = this.#silent(leader);
    const mine = leader.holder === null || silent || (this.#as === 'command' && !leader.busy);
    if (!mine) return { leader };
    const passedOver = silent && leader.holder !== null;
    const lead = await this.#take(leader, passedOver);
    if (lead === undefined) return { leader };
    if (passedOver) await this.#endSessionsOf(leader);
    this.#lead = lead;
    this.#lost = new AbortController();
    this.#renewedMs = performance.now();
    const fresh = leader.keeperFence === null || leader.keeperFence !== this.#lastFence;
    this.#lastFence = lead.fence;
    this.#settings.emit({ kind: 'leading', fence: lead.fence, at: this.#settings.clock.now() });
    return { lead, taken: true, fresh };
  }

  async release(): Promise<void> {
    const lead = this.#lead;
    this.#lead = undefined;
    if (lead !== undefined) await releaseLead(await this.#control.client(), lead);
  }

  beat(): { readonly stop: () => void } {
    const { leaseMs } = this.#settings;
    let busy = false;
    const timer = setInterval(
      () => {
        if (busy) return;
        busy = true;
        void this.#renew()
          .catch(() => {
            // It cannot be shown that this keeper lives, so others will think that it does not.
            if (performance.now() - this.#renewedMs > leaseMs) this.lose();
          })
          .finally(() => {
            busy = false;
          });
      },
      Math.max(10, leaseMs / 3),
    );
    timer.unref();
    return { stop: () => clearInterval(timer) };
  }

  async #renew(): Promise<Lead | undefined> {
    const lead = this.#lead;
    if (lead === undefined) return undefined;
    const renewed = await renewLead(await this.#control.client(), lead, this.#at().now);
    if (renewed) this.#renewedMs = performance.now();
    else if (this.#lead === lead) this.lose();
    return this.#lead;
  }

  #at(): { readonly schema: string; readonly now: Date | undefined } {
    const { schema, injected, clock } = this.#settings;
    return { schema, now: injected ? clock.now() : undefined };
  }

  // Silent by the clock of the server, or by what this challenger saw itself: a clock that steps back must not leave the
  // lead with the dead.
  #silent(leader: Leader): boolean {
    const { leaseMs, clock } = this.#settings;
    const nowMs = clock.monotonicMs();
    const { fence, beat } = leader;
    if (this.#watched?.fence !== fence || this.#watched.beat !== beat)
      this.#watched = { fence, beat, sinceMs: nowMs };
    return leader.silentMs > leaseMs || nowMs - this.#watched.sinceMs > leaseMs;
  }

  // The row decides who leads, and only then are sessions ended: a leader that woke up in between goes on unharmed.
  // A transaction of the last holder may still be on its way out; that of a silent one is ended first.
  async #take(seen: Leader, passedOver: boolean): Promise<Lead | undefined> {
    const client = await this.#control.client();
    for (let tries = 0; tries < BLOCKED_TRIES; tries += 1) {
      const at = this.#at();
      const lead = await takeLead(client, { ...at, seen, holder: this.#settings.name, as: this.#as });
      if (lead !== undefined) return lead;
      const now = await leaderOf(client, at);
      if (now?.fence !== seen.fence || now.beat !== seen.beat || now.busy !== seen.busy) return undefined;
      // A heartbeat of one that woke up holds the row for a moment; only what stays is a transaction left behind.
      if (passedOver && tries >= LEFT_BEHIND_TRIES) await this.#endSessionsOf(seen);
      await wait(BLOCKED_MS);
    }
    return undefined;
  }

  async #endSessionsOf({ fence }: Leader): Promise<void> {
    await endSessionsOf(await this.#control.client(), { schema: this.#settings.schema, fence });
  }
}
