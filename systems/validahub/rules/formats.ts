// The formats a `format` rule can name. Each is a predicate over a non-empty value; empty values are the
// business of `required`.

import { isGtin } from '../catalogue/barcode.ts';
import { parseDecimal } from './decimal.ts';

/** Names accepted in `params.format`; `normalized` asks that the rule's own fix would change nothing. */
export const FORMATS = [
  'gtin',
  'ncm',
  'url',
  'email',
  'currency',
  'decimal',
  'integer',
  'date',
  'plain_text',
  'normalized',
] as const;
export type Format = (typeof FORMATS)[number];

// ISO 4217 active codes, written out: the list inside the runtime changes with its ICU, and a rule must not.
const CURRENCIES: ReadonlySet<string> = new Set(
  (
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD ' +
    'CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ ' +
    'GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR ' +
    'LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN ' +
    'PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB ' +
    'TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG'
  ).split(' '),
);

/** A predicate for a format. `separator` is the decimal sign asked for: `dot`, `comma` or `any`. */
export function formatCheck(
  format: Exclude<Format, 'normalized'>,
  separator: string,
): (value: string) => boolean {
  if (format === 'decimal') return DECIMAL_CHECKS[separator] ?? isAnyDecimal;
  return CHECKS[format];
}

const isAnyDecimal = (value: string): boolean => parseDecimal(value) !== null;

const DECIMAL_CHECKS: Readonly<Record<string, (value: string) => boolean>> = {
  any: isAnyDecimal,
  dot: (value) => /^-?\d+(\.\d+)?$/.test(value),
  comma: (value) => /^-?\d+(,\d+)?$/.test(value),
};

const CHECKS: Readonly<Record<Exclude<Format, 'normalized' | 'decimal'>, (value: string) => boolean>> = {
  gtin: isGtin,
  ncm: isNcm,
  url: isWebAddress,
  email: isEmail,
  currency: (value) => CURRENCIES.has(value),
  integer: (value) => /^-?\d+$/.test(value),
  date: isIsoDate,
  plain_text: (value) => !/<\/?[a-z!][^<>]*>|&(?:[a-z]{2,8}|#\d{1,7}|#x[\da-f]{1,6});/i.test(value),
};

// Nomenclatura Comum do Mercosul: eight digits, written 9999.99.99 or plain; chapters 01 to 97, 77 is reserved.
function isNcm(value: string): boolean {
  if (!/^\d{8}$|^\d{4}\.\d{2}\.\d{2}$/.test(value)) return false;
  const chapter = Number(value.slice(0, 2));
  return chapter >= 1 && chapter <= 97 && chapter !== 77;
}

function isWebAddress(value: string): boolean {
  if (value.length > 2_048 || !/^https?:\/\/[^\s]+$/i.test(value)) return false;
  return URL.canParse(value) && new URL(value).hostname.includes('.');
}

function isEmail(value: string): boolean {
  if (value.length > 254) return false;
  const [local = '', domain = '', ...more] = value.split('@');
  if (more.length > 0 || !/^[\w.!#$%&'*+/=?^`{|}~-]{1,64}$/.test(local) || local.includes('..')) return false;
  const labels = domain.split('.');
  return labels.length > 1 && labels.every((label) => /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

/** True for a day that exists, written `YYYY-MM-DD`. */
export function isIsoDate(value: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
