// GS1 numbers: EAN-8, UPC-A, EAN-13 and GTIN-14 share one check digit (GS1 General Specifications, 7.9):
// from the right, weights 3 and 1 in turn, and the last digit lifts the sum to a multiple of ten.

/** Numbers of digits a GS1 item number may have. */
export const GTIN_LENGTHS: readonly number[] = [8, 12, 13, 14];

/** True for 8, 12, 13 or 14 digits whose last one is the check digit of the others. */
export function isGtin(value: string): boolean {
  if (!GTIN_LENGTHS.includes(value.length) || !isDigits(value)) return false;
  return checkDigit(value.slice(0, -1)) === value.at(-1);
}

/**
 * The check digit that belongs behind `body`.
 * @param body digits only, without the check digit; any other character gives null.
 */
export function checkDigit(body: string): string | null {
  if (!isDigits(body)) return null;
  let sum = 0;
  for (let i = body.length - 1, weight = 3; i >= 0; i -= 1, weight = 4 - weight) {
    sum += (body.charCodeAt(i) - 48) * weight;
  }
  return String((10 - (sum % 10)) % 10);
}

function isDigits(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return value.length > 0;
}
