// What is sent before an application's first statement: BEGIN, the tenant, and how the transaction shall run.
import { HoldfastError } from '../error.ts';
import { ident, literal } from '../sql.ts';
import type { SessionContract, Trait } from '../define/trait.ts';
import { encodeOpening } from './messages.ts';
import type { Opening } from './messages.ts';

/** Who a session speaks for: keys of the definition's session contract to values, such as `{ tenant: 'acme' }`. */
export type SessionContext = Readonly<Record<string, string>>;

/** How a transaction runs. Absent fields leave the server's defaults. */
export interface TransactionOptions {
  readonly isolationLevel?: 'read committed' | 'repeatable read' | 'serializable';
  readonly accessMode?: 'read only' | 'read write';
  /** With `serializable` and `read only`: wait for a snapshot that cannot fail. */
  readonly deferrable?: boolean;
  /** Longest time one statement may take, in milliseconds, 1 to 2147483647. */
  readonly statementTimeoutMs?: number;
}

interface Key {
  readonly name: string;
  /** The setting, quoted. */
  readonly setting: string;
  readonly pattern: RegExp;
}

/** The settings a session carries, in the order they are sent. */
export type Contract = readonly Key[];

const SETTING = /^[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+$/;
const MAX_TIMEOUT_MS = 2_147_483_647;
const LEVELS: readonly string[] = ['read committed', 'repeatable read', 'serializable'];
const MODES: readonly string[] = ['read only', 'read write'];
const KEPT_OPENINGS = 1000;
const FIELDS = ['isolationLevel', 'accessMode', 'deferrable', 'statementTimeoutMs'] as const;

/**
 * Joins the session contracts of a definition's traits.
 * @throws HoldfastError HF_SESSION when two traits give one key different settings, or a setting is not a custom one
 *   (`prefix.name`): a contract must not be able to change `role` or `search_path`
 */
export function contractOf(traits: readonly Trait[]): Contract {
  const keys = new Map<string, Key>();
  for (const trait of traits) {
    for (const [name, of] of Object.entries(trait.session?.settings ?? {})) {
      const key = keyOf(trait, name, of);
      const before = keys.get(name);
      if (before !== undefined && before.setting !== key.setting) {
        throw contractError(trait, name, `it is also sent as ${before.setting} by another trait.`);
      }
      keys.set(name, key);
    }
  }
  return [...keys.values()];
}

/**
 * Makes openings for sessions, keeping the latest so that a busy tenant's is built once.
 * The returned function takes a context ({}: a session for nobody) and options, and throws HF_TENANT or HF_OPTION
 * before anything is sent.
 */
export function openings(
  contract: Contract,
): (context: SessionContext, options: TransactionOptions) => Opening {
  const kept = new Map<string, Opening>();
  return (context, options) => {
    const values = validated(contract, context);
    const tuning = tuningSql(options);
    // No value holds a zero byte, so the parts cannot run into one another.
    const key = `${values.join('\0')}\0${tuning.join('\0')}`;
    const found = kept.get(key);
    if (found !== undefined) return found;
    const made = encodeOpening([
      'BEGIN',
      ...contract.map((of, at) => setLocal(of, values[at] ?? '')),
      ...tuning,
    ]);
    if (kept.size >= KEPT_OPENINGS) kept.delete(kept.keys().next().value ?? '');
    kept.set(key, made);
    return made;
  };
}

function keyOf(trait: Trait, name: string, of: SessionContract['settings'][string]): Key {
  if (!SETTING.test(of.setting)) {
    throw contractError(trait, name, `${JSON.stringify(of.setting)} is no custom setting.`);
  }
  // Flags g and y give a RegExp a memory and m lets ^ and $ match inside; none of them may decide who a tenant is.
  const flags = of.pattern.flags.replaceAll(/[gmy]/g, '');
  const pattern = new RegExp(`^(?:${of.pattern.source})$`, flags);
  return { name, setting: of.setting.split('.').map(ident).join('.'), pattern };
}

function contractError(trait: Trait, name: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_SESSION',
    subject: `session key ${JSON.stringify(name)} of trait ${trait.name}`,
    what,
    fix: 'Give each key one setting of the form prefix.name, in small letters.',
  });
}

// Every setting is sent, '' where the session has no value: a plain SET that slipped into an earlier transaction of
// the same connection would otherwise still be in force here.
function validated(contract: Contract, context: SessionContext): readonly string[] {
  for (const name of Object.keys(context)) {
    if (!contract.some((key) => key.name === name)) throw unknownKey(contract, name);
  }
  return contract.map((key) => (Object.hasOwn(context, key.name) ? validValue(key, context[key.name]) : ''));
}

function validValue(key: Key, value: unknown): string {
  // A lone surrogate would reach the server as U+FFFD: two different tenants would become one.
  if (
    typeof value === 'string' &&
    value !== '' &&
    key.pattern.test(value) &&
    !value.includes('\0') &&
    !/\p{Surrogate}/u.test(value)
  ) {
    return value;
  }
  throw new HoldfastError({
    code: 'HF_TENANT',
    subject: `session key ${JSON.stringify(key.name)}`,
    what: `the value ${shown(value)} is not one that ${key.pattern.source} matches whole.`,
    fix: 'Pass the id the application has for it, or call session() without arguments for a session that sees no rows.',
  });
}

function unknownKey(contract: Contract, unknown: string): HoldfastError {
  const known = contract.map((key) => JSON.stringify(key.name)).join(', ') || 'none';
  return new HoldfastError({
    code: 'HF_TENANT',
    subject: `session key ${JSON.stringify(unknown)}`,
    what: `the definition knows no such key; its keys: ${known}.`,
    fix: 'Pass a key of the definition, or call session() without arguments for a session that sees no rows.',
  });
}

function shown(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : `of type ${typeof value}`;
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}

function setLocal(key: Key, value: string): string {
  return `SET LOCAL ${key.setting} = ${literal(value).trim()}`;
}

// BEGIN takes these words too, but a BEGIN that fails leaves no transaction behind, and what was sent after it would
// run on its own. SET TRANSACTION fails inside the transaction and takes the rest with it.
function tuningSql(options: TransactionOptions): readonly string[] {
  if (!FIELDS.some((field) => options[field] !== undefined)) return [];
  const modes = [
    options.isolationLevel && `ISOLATION LEVEL ${oneOf('isolationLevel', LEVELS, options.isolationLevel)}`,
    options.accessMode && oneOf('accessMode', MODES, options.accessMode),
    options.deferrable === undefined ? undefined : options.deferrable ? 'DEFERRABLE' : 'NOT DEFERRABLE',
  ].filter((mode) => mode !== undefined);
  const timeout = options.statementTimeoutMs;
  return [
    ...(modes.length === 0 ? [] : [`SET TRANSACTION ${modes.join(', ')}`]),
    ...(timeout === undefined ? [] : [`SET LOCAL statement_timeout = ${milliseconds(timeout)}`]),
  ];
}

function oneOf(name: string, words: readonly string[], word: string): string {
  if (words.includes(word)) return word.toUpperCase();
  throw optionError(name, `${JSON.stringify(word)} is not one of ${words.join(', ')}.`, 'Use one of these.');
}

function milliseconds(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS) return value;
  const fix = `Give whole milliseconds from 1 to ${MAX_TIMEOUT_MS}, or leave it out.`;
  throw optionError('statementTimeoutMs', `${value} is no time limit PostgreSQL takes.`, fix);
}

function optionError(name: string, what: string, fix: string): HoldfastError {
  return new HoldfastError({ code: 'HF_OPTION', subject: `option ${name}`, what, fix });
}
