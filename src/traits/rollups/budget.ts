// How old a rollup may be, in the words of whoever promised it.
const UNITS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };

/** `'2 hours'` in seconds; undefined for what is no length of time. */
export function budgetSeconds(text: string): number | undefined {
  const found = /^(\d+) (second|minute|hour|day)s?$/.exec(text.trim());
  const seconds = Number(found?.[1] ?? 0) * (UNITS[found?.[2] ?? ''] ?? 0);
  return seconds > 0 ? seconds : undefined;
}
