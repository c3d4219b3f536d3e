// Lengths of time as a budget states them.
import { HoldfastError } from '../../error.ts';

const UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

/**
 * `'1 ms'` in milliseconds; units are us, ms and s.
 * @throws HoldfastError HF_BUDGET_TIME for anything else, and for nothing at all
 */
export function milliseconds(text: string, subject: string): number {
  const found = /^(\d+(?:\.\d+)?) (us|ms|s)$/.exec(text.trim());
  const ms = Number(found?.[1] ?? 0) * (UNITS_MS[found?.[2] ?? ''] ?? 0);
  if (ms > 0) return ms;
  throw new HoldfastError({
    code: 'HF_BUDGET_TIME',
    subject,
    what: `${JSON.stringify(text)} is no length of time.`,
    fix: "Write a number and us, ms or s: '1 ms'.",
  });
}
