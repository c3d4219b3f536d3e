// What a process remembers of published rules: which version is current, and the plan of each version.

/** How long each kind is remembered, in milliseconds. */
export const CACHE_TTL_MS = {
  /** Which version is current in a channel. */
  pointer: 10 * 60_000,
  /** A compiled plan. */
  compiled: 60 * 60_000,
  /** The stored row of a published version, which never changes. */
  published: 24 * 60 * 60_000,
  /** The stored row of a version that is not published yet. */
  draft: 5 * 60_000,
} as const;

/** What a value is, and with it how long it is kept. */
export type CacheKind = keyof typeof CACHE_TTL_MS;

const MOST_ENTRIES = 10_000;

/**
 * Remembers values by key until their time is over. A key starts with the tenant, so no tenant can be given another's
 * value. The oldest entries go first when there are too many.
 */
export class RuleCache {
  readonly #entries = new Map<string, { readonly value: unknown; readonly until: number }>();
  readonly #now: () => Date;
  #stamp = 0;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** The value, or undefined when it was never kept, was forgotten or has aged out. */
  get<Value>(kind: CacheKind, key: readonly string[]): Value | undefined {
    const name = nameOf(kind, key);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.until > this.#now().getTime()) return entry.value as Value;
    this.#entries.delete(name);
    return undefined;
  }

  /** Keeps a value for as long as its kind is kept. */
  set(kind: CacheKind, key: readonly string[], value: unknown): void {
    const oldest = this.#entries.size >= MOST_ENTRIES ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(nameOf(kind, key), { value, until: this.#now().getTime() + CACHE_TTL_MS[kind] });
  }

  /** Moves whenever something is forgotten: what was read before it moved must not be kept after. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Forgets everything. */
  clear(): void {
    this.#stamp += 1;
    this.#entries.clear();
  }

  /** Forgets every entry of the kind whose key starts with these parts. */
  forget(kind: CacheKind, key: readonly string[]): void {
    this.#stamp += 1;
    const start = nameOf(kind, key).slice(0, -1);
    for (const name of this.#entries.keys()) {
      if (name.startsWith(`${start},`) || name === `${start}]`) this.#entries.delete(name);
    }
  }
}

function nameOf(kind: CacheKind, key: readonly string[]): string {
  return JSON.stringify([kind, ...key]);
}
