// What a replay lets happen to the database besides time: as values, one a kind of trouble.
import { HoldfastError } from '../../error.ts';

/** One kind of replay. */
export interface Variant {
  readonly name: string;
  /** One line for people. */
  readonly what: string;
  /** Days where nothing else is asked for, and the day it begins unless `--from` says so. */
  readonly days: number;
  readonly from?: string;
  /** How many keepers tick side by side; default 1. */
  readonly keepers?: number;
  /** No keeper runs from this day on, for so many days. */
  readonly down?: { readonly day: number; readonly days: number };
  /** Time zone of the database and of the traffic's sessions, changed every so many days. */
  readonly zones?: readonly { readonly database: string; readonly session: string }[];
  /** The wall clock goes back by so much, every so many days. */
  readonly back?: { readonly everyDays: number; readonly ms: number };
  /** A keeper is killed at a random statement, every so many days. */
  readonly killEveryDays?: number;
}

/** Three years of one keeper: the base case. */
export const PLAIN: Variant = { name: 'plain', what: 'one keeper, nothing happens but time', days: 1096 };

/** Every variant, the base case first. */
export const variants: readonly Variant[] = [
  PLAIN,
  {
    name: 'keeper-down',
    what: 'no keeper for 40 days',
    days: 150,
    down: { day: 80, days: 40 },
  },
  {
    name: 'zones',
    what: 'database in America/Sao_Paulo and in Asia/Kathmandu, sessions in the other, in turn',
    days: 120,
    zones: [
      { database: 'America/Sao_Paulo', session: 'Asia/Kathmandu' },
      { database: 'Asia/Kathmandu', session: 'America/Sao_Paulo' },
    ],
  },
  { name: 'leap-day', what: 'over 2028-02-29', days: 125, from: '2028-01-01' },
  {
    name: 'clock-back',
    what: 'the clock steps back two hours every third day',
    days: 110,
    back: { everyDays: 3, ms: 7_200_000 },
  },
  { name: 'two-keepers', what: 'two keepers at once', days: 110, keepers: 2 },
  {
    name: 'killed',
    what: 'a keeper is killed at a random statement once a week, another takes over',
    days: 130,
    keepers: 2,
    killEveryDays: 7,
  },
];

/**
 * The variant of a name.
 * @throws HoldfastError HF_LAPSE_VARIANT when there is none
 */
export function variantOf(name: string): Variant {
  const found = variants.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError({
    code: 'HF_LAPSE_VARIANT',
    subject: `variant ${name}`,
    what: 'there is no such variant of a replay.',
    fix: `Use one of ${variants.map((one) => one.name).join(', ')}, or all.`,
  });
}
