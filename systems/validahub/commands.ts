// The commands besides `check`: each takes a hub and words, and gives a value for programs and lines for people.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { HoldfastError } from 'holdfast';
import {
  acceptSuggestion,
  comparePerformance,
  decideCorrections,
  endShadow,
  listSuggestions,
  mineSuggestions,
  publishVersion,
  rejectSuggestion,
  ruleEffectiveness,
  topErrorFields,
  validateVersion,
  waitingCorrections,
  type Freshness,
  type Hub,
} from './operations/index.ts';
import { CHANNELS, type Channel } from './tables/columns.ts';

/** What a command gives. */
export interface Answer {
  /** With --json, as it stands. */
  readonly value: unknown;
  readonly lines: readonly string[];
}

/** What a command was asked. */
export interface Asked {
  readonly tenant: string;
  readonly by: string;
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly options: readonly string[];
  readonly flags?: readonly string[];
  readonly run: (hub: Hub, asked: Asked) => Promise<Answer>;
}

/** The commands by name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  corrections: {
    usage: 'corrections [--job ID] [--limit N]',
    summary: 'corrections that wait for a decision',
    options: ['job', 'limit'],
    run: corrections,
  },
  decide: {
    usage: 'decide accept|reject ID... | --batch ID [--reason TEXT]',
    summary: 'accept or reject corrections, all of them or none',
    options: ['batch', 'reason'],
    run: decide,
  },
  mine: {
    usage: 'mine [--min-support N] [--min-acceptance SHARE] [--min-confidence SHARE] [--limit N] [--rules]',
    summary: 'make suggestions of what was accepted again and again',
    options: ['min-support', 'min-acceptance', 'min-confidence', 'limit'],
    flags: ['rules'],
    run: mine,
  },
  suggestions: {
    usage: 'suggestions [--limit N]',
    summary: 'suggestions that wait for a decision',
    options: ['limit'],
    run: suggestions,
  },
  accept: {
    usage: 'accept ID [--set ID]',
    summary: 'put a suggestion into the draft of the next version',
    options: ['set'],
    run: accept,
  },
  reject: {
    usage: 'reject ID --reason TEXT [--feedback 1..5]',
    summary: 'reject a suggestion; it is not made again for 90 days',
    options: ['reason', 'feedback'],
    run: reject,
  },
  publish: {
    usage: 'publish VERSION_ID [--current]',
    summary: 'validate and publish a draft; with --current it is in force at once',
    options: [],
    flags: ['current'],
    run: publish,
  },
  shadow: {
    usage: 'shadow activate|withdraw VERSION_ID [--reason TEXT] [--force]',
    summary: 'end the shadow of a version',
    options: ['reason'],
    flags: ['force'],
    run: shadow,
  },
  effectiveness: {
    usage: 'effectiveness [--rule ID] [--channel NAME] [--from DAY] [--to DAY] [--fresh]',
    summary: 'how well rules do, and how old the figures are',
    options: ['rule', 'channel', 'from', 'to'],
    flags: ['fresh'],
    run: effectiveness,
  },
  compare: {
    usage: 'compare RULE RULE [--days N]',
    summary: 'two rules side by side',
    options: ['days'],
    run: compare,
  },
  'top-fields': {
    usage: 'top-fields [--days N] [--limit N]',
    summary: 'the fields that break most',
    options: ['days', 'limit'],
    run: topFields,
  },
};

/**
 * Reads the words after a command's name.
 * @throws HoldfastError HF_VALIDAHUB_USAGE for an option it does not know
 */
export function readCommand(name: string, args: readonly string[]): Asked & { readonly json: boolean } {
  const command = COMMANDS[name];
  if (command === undefined) throw usage(`there is no command ${name}.`, Object.keys(COMMANDS).join(', '));
  const options: NonNullable<ParseArgsConfig['options']> = {
    tenant: { type: 'string' },
    by: { type: 'string' },
    json: { type: 'boolean' },
  };
  for (const option of command.options) options[option] = { type: 'string' };
  for (const flag of command.flags ?? []) options[flag] = { type: 'boolean' };
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const { tenant, by, json, ...rest } = values as Record<string, string | boolean | undefined>;
    return {
      tenant: typeof tenant === 'string' ? tenant : 't_local',
      by: typeof by === 'string' ? by : 'cli',
      json: json === true,
      words: positionals,
      options: rest,
    };
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error), command.usage);
  }
}

/** Runs a command over an open ValidaHub. */
export async function runCommand(hub: Hub, name: string, asked: Asked): Promise<Answer> {
  const command = COMMANDS[name];
  if (command === undefined) throw usage(`there is no command ${name}.`, Object.keys(COMMANDS).join(', '));
  return command.run(hub, asked);
}

function usage(what: string, write: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_VALIDAHUB_USAGE',
    subject: 'validahub',
    what,
    fix: `Write ${write}; --help says more.`,
  });
}

async function corrections(hub: Hub, { tenant, options }: Asked): Promise<Answer> {
  const found = await waitingCorrections(hub, {
    tenant,
    ...text('jobId', options['job']),
    ...whole(options, 'limit'),
  });
  return {
    value: found,
    lines: table(
      ['id', 'record', 'field', 'was', 'becomes', 'rule'],
      found.map((one) => [
        one.id,
        String(one.recordNumber),
        one.field,
        shown(one.originalValue),
        shown(one.correctedValue),
        one.ruleId,
      ]),
      'No correction waits for a decision.',
    ),
  };
}

async function decide(hub: Hub, { tenant, by, words, options }: Asked): Promise<Answer> {
  const [decision, ...ids] = words;
  const { batch } = options;
  const named = typeof batch === 'string' ? { batchId: batch } : { ids };
  if ((decision !== 'accept' && decision !== 'reject') || 'batchId' in named === ids.length > 0)
    throw usage('decide takes accept or reject, then ids or --batch.', usageOf('decide'));
  const value = await decideCorrections(hub, {
    tenant,
    by,
    decision,
    ...named,
    ...text('reason', options['reason']),
  });
  return { value, lines: [`${value.decided} ${decision === 'accept' ? 'accepted' : 'rejected'}`] };
}

async function mine(hub: Hub, { tenant, by, options }: Asked): Promise<Answer> {
  const value = await mineSuggestions(hub, {
    tenant,
    by,
    rules: options['rules'] === true,
    ...whole(options, 'limit'),
    ...number('minSupport', options['min-support']),
    ...number('minAcceptance', options['min-acceptance']),
    ...number('minConfidence', options['min-confidence']),
  });
  return {
    value,
    lines: table(
      ['id', 'confidence', 'right', 'wrong', 'suggestion'],
      value.suggestions.map((one) => [
        one.id,
        one.confidence.toFixed(4),
        String(one.accepted),
        String(one.against),
        one.title,
      ]),
      'Nothing new was accepted often enough.',
    ),
  };
}

async function suggestions(hub: Hub, { tenant, options }: Asked): Promise<Answer> {
  const value = await listSuggestions(hub, { tenant, ...whole(options, 'limit') });
  return {
    value,
    lines: table(
      ['id', 'confidence', 'expires', 'suggestion'],
      value.map((one) => [
        one.id,
        Number(one.confidenceScore).toFixed(4),
        one.expiresAt === null ? 'never' : one.expiresAt.toISOString().slice(0, 10),
        one.title,
      ]),
      'No suggestion waits for a decision.',
    ),
  };
}

async function accept(hub: Hub, { tenant, by, words, options }: Asked): Promise<Answer> {
  const value = await acceptSuggestion(hub, {
    tenant,
    by,
    id: only(words, 'accept'),
    ...text('setId', options['set']),
  });
  const lines = [
    `Rule ${value.ruleId} is in version ${value.version} (${value.versionId}).`,
    `Publish it to let it run: publish ${value.versionId}`,
  ];
  return { value, lines };
}

async function reject(hub: Hub, { tenant, by, words, options }: Asked): Promise<Answer> {
  const { reason } = options;
  if (typeof reason !== 'string') throw usage('--reason is missing.', usageOf('reject'));
  const id = only(words, 'reject');
  await rejectSuggestion(hub, { tenant, by, id, reason, ...number('feedback', options['feedback']) });
  return { value: { rejected: id }, lines: ['Rejected; it is not made again for 90 days.'] };
}

async function publish(hub: Hub, { tenant, by, words, options }: Asked): Promise<Answer> {
  const of = { tenant, by, versionId: only(words, 'publish') };
  const { errors } = await validateVersion(hub, of);
  if (errors.length > 0) {
    const lines = errors.map((error) => `${error.ruleId ?? 'rules'} ${error.path}: ${error.message}`);
    return { value: { published: false, errors }, lines: ['It was not published.', ...lines] };
  }
  const value = await publishVersion(hub, {
    ...of,
    ...(options['current'] === true && { makeCurrent: true }),
  });
  const { shadowUntil } = value;
  const then =
    shadowUntil === null ? 'not in force' : `in its shadow until ${shadowUntil.toISOString().slice(0, 10)}`;
  const lines = [`Version ${value.version} is published and ${value.current ? 'in force' : then}.`];
  return { value: { published: true, ...value }, lines };
}

async function shadow(hub: Hub, { tenant, by, words, options }: Asked): Promise<Answer> {
  const [action, versionId, ...more] = words;
  if ((action !== 'activate' && action !== 'withdraw') || versionId === undefined || more.length > 0)
    throw usage('shadow takes activate or withdraw, then a version id.', usageOf('shadow'));
  const force = options['force'] === true;
  const value = await endShadow(hub, {
    tenant,
    by,
    versionId,
    action,
    force,
    ...text('reason', options['reason']),
  });
  const { jobs = 0, rows = 0, rowsThatDiffer = 0 } = value.metrics;
  return {
    value,
    lines: [
      `Version ${value.version} is ${value.current ? 'current' : 'withdrawn'}.`,
      `In its shadow: ${String(jobs)} jobs, ${String(rows)} rows, ${String(rowsThatDiffer)} that would differ.`,
    ],
  };
}

async function effectiveness(hub: Hub, { tenant, options }: Asked): Promise<Answer> {
  const channel = options['channel'];
  if (channel !== undefined && !CHANNELS.some((one) => one === channel))
    throw usage(`there is no channel ${String(channel)}.`, `one of ${CHANNELS.join(', ')}`);
  const value = await ruleEffectiveness(hub, {
    tenant,
    fresh: options['fresh'] === true,
    ...text('ruleId', options['rule']),
    ...(channel === undefined ? {} : { channel: channel as Channel }),
    ...day('from', options['from']),
    ...day('to', options['to']),
  });
  const rows = value.rules.map((rule) => [
    rule.ruleId,
    String(rule.applications),
    String(rule.acceptances),
    rule.rejections === null ? '-' : String(rule.rejections),
    percent(rule.successRate),
    rule.meanConfidence === null ? '-' : rule.meanConfidence.toFixed(4),
  ]);
  const head = ['rule', 'corrections', 'accepted', 'rejected', 'success', 'confidence'];
  return { value, lines: [...table(head, rows, 'No rule has corrected anything yet.'), age(value)] };
}

async function compare(hub: Hub, { tenant, words, options }: Asked): Promise<Answer> {
  const [ruleA, ruleB, ...more] = words;
  if (ruleA === undefined || ruleB === undefined || more.length > 0)
    throw usage('compare takes two rules.', usageOf('compare'));
  const value = await comparePerformance(hub, { tenant, ruleA, ruleB, ...whole(options, 'days') });
  const rows = [value.a, value.b].map((rule) => [
    rule.ruleId,
    String(rule.applications),
    String(rule.acceptances),
    percent(rule.successRate),
  ]);
  const [low, high] = value.interval ?? [0, 0];
  const apart = `Accepted when decided: ${percent(value.difference ?? 0)} apart, ${percent(low)} to ${percent(high)} with 95 % certainty.`;
  return {
    value,
    lines: [
      ...table(['rule', 'corrections', 'accepted', 'success'], rows, ''),
      value.difference === null ? 'One of them has no decision yet.' : apart,
      age(value),
    ],
  };
}

async function topFields(hub: Hub, { tenant, options }: Asked): Promise<Answer> {
  const value = await topErrorFields(hub, { tenant, ...whole(options, 'days'), ...whole(options, 'limit') });
  const rows = value.fields.map((one) => [
    one.field,
    String(one.errors),
    String(one.violations),
    String(one.rules),
    String(one.jobs),
  ]);
  const head = ['field', 'errors', 'violations', 'rules', 'jobs'];
  return { value, lines: table(head, rows, 'Nothing broke.') };
}

function age({ source, asOf, ageMs }: Freshness): string {
  if (asOf === null) return `From ${source}, which was not brought up to date yet.`;
  if (ageMs === 0) return `From ${source}, counted now.`;
  return `From ${source}, ${Math.round((ageMs ?? 0) / 60_000)} minutes old.`;
}

function usageOf(name: string): string {
  return COMMANDS[name]?.usage ?? name;
}

function only(words: readonly string[], name: string): string {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0) throw usage(`${name} takes one id.`, usageOf(name));
  return word;
}

function text<Key extends string>(key: Key, value: unknown): { readonly [K in Key]?: string } {
  return (typeof value === 'string' ? { [key]: value } : {}) as { readonly [K in Key]?: string };
}

function number<Key extends string>(key: Key, value: unknown): { readonly [K in Key]?: number } {
  if (typeof value !== 'string') return {};
  if (value.trim() === '' || Number.isNaN(Number(value)))
    throw usage(`${value} is not a number.`, 'a number');
  return { [key]: Number(value) } as { readonly [K in Key]?: number };
}

function whole<Key extends string>(options: Asked['options'], key: Key): { readonly [K in Key]?: number } {
  return number(key, options[key]);
}

function day<Key extends string>(key: Key, value: unknown): { readonly [K in Key]?: Date } {
  if (typeof value !== 'string') return {};
  const at = new Date(`${value}T00:00:00Z`);
  // A day that no month has is taken for one of the next month.
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== value)
    throw usage(`${value} is not a day.`, 'a day as 2026-01-31');
  return { [key]: at } as { readonly [K in Key]?: Date };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? '';
  return json.length > 40 ? `${json.slice(0, 39)}…` : json;
}

/** Columns in line; the empty text where there are no rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[], empty: string): string[] {
  if (rows.length === 0) return [empty];
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
