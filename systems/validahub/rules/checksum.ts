// The fingerprint of a rule version: the same rules and mapping give the same 64 characters on every machine,
// before and after they went through a jsonb column (which keeps neither key order nor number spelling).

import { createHash } from 'node:crypto';
import { configure } from 'safe-stable-stringify';
import type { Mapping } from '../catalogue/row.ts';

/** Raised whenever the same rules would run differently; part of every checksum. */
export const COMPILER_VERSION = 1;

const canonical = configure({ deterministic: true, strict: true });

/**
 * SHA-256, hex, over the canonical JSON of compiler version, mapping and rules as given (not as compiled).
 * Object keys are sorted; the order of rules counts.
 */
export function checksum(mapping: Mapping, rules: readonly unknown[]): string {
  const text = canonical({ compiler: COMPILER_VERSION, mapping, rules });
  return createHash('sha256')
    .update(text ?? '')
    .digest('hex');
}
