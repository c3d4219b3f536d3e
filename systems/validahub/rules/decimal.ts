// Prices as people type them: `1.299,90`, `R$ 1,299.90`, `49`. Read and rounded as text, never as a float,
// so that a corrected price is exactly the one that was meant.

/** How thousands and decimals are told apart: Brazilian, English, or by looking. */
export type DecimalLocale = 'auto' | 'pt' | 'en';

/** A number as text with a dot: `-1299.90`. */
export interface Decimal {
  readonly text: string;
  /** True when the other reading of the separator was possible: `1,234`. */
  readonly ambiguous: boolean;
}

/**
 * Reads a decimal with dot or comma, thousands separators and the sign of the real (R$, BRL).
 *
 * In `auto` the last separator is the decimal one when both kinds occur; a kind that occurs twice groups
 * thousands; one separator alone is the decimal one, and is ambiguous when three digits follow a comma.
 * Gives null for anything that is no number.
 */
export function parseDecimal(value: string, locale: DecimalLocale = 'auto'): Decimal | null {
  const bare = withoutCurrency(value);
  const sign = bare.startsWith('-') ? '-' : '';
  const digits = sign === '' ? bare : bare.slice(1);
  if (!/^\d[\d.,]*$/.test(digits)) return null;
  const mark = decimalMark(digits, locale);
  const at = mark === null ? -1 : digits.lastIndexOf(mark);
  const whole = at < 0 ? digits : digits.slice(0, at);
  const fraction = at < 0 ? '' : digits.slice(at + 1);
  const group = mark === ',' ? '.' : mark === '.' ? ',' : digits.includes('.') ? '.' : ',';
  if (!groupsRight(whole, group) || !/^\d*$/.test(fraction) || (at >= 0 && fraction === '')) return null;
  const integer = whole.replaceAll(group, '').replace(/^0+(?=\d)/, '');
  const zero = /^0*$/.test(integer + fraction);
  const text = `${zero ? '' : sign}${integer}${fraction === '' ? '' : `.${fraction}`}`;
  return { text, ambiguous: locale === 'auto' && mark === ',' && fraction.length === 3 };
}

/** The value as a number for comparing, or null when it is no number. */
export function toNumber(value: string): number | null {
  const decimal = parseDecimal(value);
  return decimal === null ? null : Number(decimal.text);
}

/**
 * Rounds a decimal text half away from zero to exactly `places` digits after the dot.
 * @param text as {@link parseDecimal} gives it.
 */
export function roundDecimal(text: string, places: number): string {
  const sign = text.startsWith('-') ? '-' : '';
  const [whole = '0', fraction = ''] = text.slice(sign.length).split('.');
  const kept = fraction.slice(0, places).padEnd(places, '0');
  const up = (fraction.charCodeAt(places) || 48) >= 53 ? 1n : 0n;
  const scaled = (BigInt(whole + kept) + up).toString().padStart(places + 1, '0');
  const cut = scaled.length - places;
  const rounded = places === 0 ? scaled : `${scaled.slice(0, cut)}.${scaled.slice(cut)}`;
  return /^[0.]*$/.test(rounded) ? rounded : sign + rounded;
}

// Only the sign of the real may go: a price in another currency is another price, not another spelling.
function withoutCurrency(value: string): string {
  const trimmed = value.trim();
  const match = /^(-?)\s*(?:R\$|BRL)?\s*(-?[\d.,]+)\s*(?:R\$|BRL)?$/i.exec(trimmed);
  return match === null ? trimmed : `${match[1] ?? ''}${match[2] ?? ''}`;
}

function decimalMark(digits: string, locale: DecimalLocale): ',' | '.' | null {
  const commas = digits.split(',').length - 1;
  const dots = digits.split('.').length - 1;
  if (locale === 'pt') return commas > 0 ? ',' : null;
  if (locale === 'en') return dots > 0 ? '.' : null;
  if (commas > 0 && dots > 0) return digits.lastIndexOf(',') > digits.lastIndexOf('.') ? ',' : '.';
  if (commas === 1) return ',';
  return dots === 1 ? '.' : null;
}

function groupsRight(whole: string, group: string): boolean {
  if (/^\d+$/.test(whole)) return true;
  const [first = '', ...rest] = whole.split(group);
  return /^\d{1,3}$/.test(first) && rest.every((part) => /^\d{3}$/.test(part));
}
