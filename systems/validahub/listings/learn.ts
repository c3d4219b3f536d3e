// Mining against an independent answer: the rules run over one half of the products, the other shop's listings decide,
// what was mined runs over the half that was held back, and the other shop's listings say whether it is right.
import { Readable } from 'node:stream';
import {
  acceptSuggestion,
  addVersion,
  applyRules,
  createRuleSet,
  createTenant,
  decideCorrections,
  mineSuggestions,
  publishVersion,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import type { Rule } from '../rules/rule.ts';
import type { Pair } from './pairs.ts';

/** What the other shop says of corrections. */
export interface Answers {
  /** Its listing has the corrected value. */
  readonly confirmed: number;
  /** Its listing has another one. */
  readonly contradicted: number;
  /** Its listing says nothing of it. */
  readonly silent: number;
}

/** What was learnt from one half, and how it did on the other. */
export interface Learnt {
  /** Proposals of the rules in the half that was learnt from; those that are not silent were decided by it. */
  readonly proposed: Answers;
  /** What was mined, surest first. */
  readonly mined: readonly { readonly title: string; readonly confidence: number }[];
  /** What the mined rules corrected in the half that was held back. */
  readonly held: Answers;
  /** What the first rules propose there without mining. */
  readonly unmined: Answers;
}

/** Confirmed by confirmed and contradicted, 0 to 1; null where neither was counted. */
export function precision({ confirmed, contradicted }: Answers): number | null {
  return confirmed + contradicted === 0 ? null : confirmed / (confirmed + contradicted);
}

// The eleven basic colour terms of English (Berlin and Kay, 1969), grey in both spellings, and the two metals.
const COLOURS = 'Black White Red Green Yellow Blue Brown Purple Pink Orange Grey Gray Silver Gold'.split(' ');

/** Two rules that only propose: a colour for a finish, and the spelling of a list for a brand. */
export function listingRules(brands: readonly string[]): readonly Rule[] {
  return [
    {
      id: 'finish_is_colour',
      type: 'enum',
      field: 'finish',
      message: 'The finish is one plain colour.',
      action: 'suggest',
      params: { values: COLOURS },
      fix: [{ step: 'replace_pattern', pattern: `^.*?\\b(${COLOURS.join('|')})\\b.*$`, with: '$1' }],
    },
    {
      id: 'brand_listed',
      type: 'enum',
      field: 'brand',
      message: 'The brand is spelt as in the list.',
      action: 'suggest',
      params: { values: brands },
      fix: [{ step: 'nearest' }],
    },
  ];
}

/**
 * Learns from the products with an even (or an odd) Abt id and tries what was learnt on the others.
 * @param of.tenant is made here; its set and versions stay in the database
 */
export async function learn(
  hub: Hub,
  of: {
    readonly tenant: string;
    readonly by: string;
    readonly pairs: readonly Pair[];
    readonly brands: readonly string[];
    readonly from: 'even' | 'odd';
  },
): Promise<Learnt> {
  const { tenant, by } = of;
  const isFrom = (pair: Pair): boolean => (pair.abt.id % 2 === 0) === (of.from === 'even');
  const learning = sides(of.pairs.filter(isFrom));
  const held = sides(of.pairs.filter((pair) => !isFrom(pair)));
  const { setId, versionId } = await firstVersion(hub, of);
  const run = { hub, tenant, by };
  const proposals = await corrections(run, { sides: learning, rules: { setId } });
  await decide(run, proposals);
  const { suggestions } = await mineSuggestions(hub, { tenant, by });
  const unmined = await corrections(run, { sides: held, rules: { versionId } });
  let learntId = versionId;
  for (const { id } of suggestions)
    learntId = (await acceptSuggestion(hub, { tenant, id, by, setId })).versionId;
  const made = suggestions.length === 0 ? [] : await afterwards(run, { sides: held, setId, learntId });
  return {
    proposed: answers(proposals),
    mined: suggestions.map(({ title, confidence }) => ({ title, confidence })),
    held: answers(made),
    unmined: answers(unmined),
  };
}

/** One listing as a row, and the other shop's for the answer. */
interface Side {
  readonly title: string;
  readonly brand: string;
  readonly finish: string;
  readonly other: string;
  readonly otherName: string;
}

function sides(pairs: readonly Pair[]): readonly Side[] {
  return pairs.flatMap(({ abt, buy }) => [side(abt, buy), side(buy, abt)]);
}

// Neither shop has a column for brand or finish: the brand is the first word of the name, the finish the part of the
// description that says so ("… / Black Finish").
function side(own: Pair['abt'], other: Pair['abt']): Side {
  return {
    title: own.name,
    brand: own.name.split(' ')[0] ?? '',
    finish: /\/ ?([^/]* Finish)\b/.exec(own.description)?.[1]?.trim() ?? '',
    other: `${other.name} ${other.description}`,
    otherName: other.name,
  };
}

async function firstVersion(
  hub: Hub,
  of: { readonly tenant: string; readonly by: string; readonly brands: readonly string[] },
): Promise<{ setId: string; versionId: string }> {
  const { tenant, by } = of;
  await createTenant(hub, { id: tenant, name: 'Listings', by });
  const set = await createRuleSet(hub, { tenant, channel: 'custom', name: 'Listings', by });
  const { id: versionId } = await addVersion(hub, {
    tenant,
    setId: set.id,
    version: '1.0.0',
    rules: listingRules(of.brands),
    expectedVersion: set.version,
    by,
  });
  await validateVersion(hub, { tenant, versionId, by });
  await publishVersion(hub, { tenant, versionId, by });
  return { setId: set.id, versionId };
}

interface Run {
  readonly hub: Hub;
  readonly tenant: string;
  readonly by: string;
}

interface Answered {
  readonly id: string;
  readonly answer: keyof Answers;
}

/** Runs rules over listings, and asks the other shop about every correction that came of it. */
async function corrections(
  { hub, tenant, by }: Run,
  of: { readonly sides: readonly Side[]; readonly rules: { setId: string } | { versionId: string } },
): Promise<readonly Answered[]> {
  const source = Readable.from([Buffer.from(csv(of.sides))]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: of.rules, by });
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ id: string; record_number: number; field_name: string; was: string; becomes: string }>(
      `SELECT id, record_number, field_name, original_value #>> '{}' AS was, corrected_value #>> '{}' AS becomes
       FROM validahub.correction_logs WHERE job_id = $1 AND (status = 'pending' OR rule_id LIKE 'learnt%') ORDER BY id`,
      [jobId],
    );
  return rows.flatMap((row) => {
    const side = of.sides[row.record_number - 1];
    return side === undefined ? [] : [{ id: row.id, answer: answerOf(row, side) }];
  });
}

function answerOf(
  of: { readonly field_name: string; readonly was: string; readonly becomes: string },
  side: Side,
): keyof Answers {
  if (of.field_name === 'brand') {
    if (begins(side.otherName, of.becomes)) return 'confirmed';
    return begins(side.otherName, of.was) ? 'contradicted' : 'silent';
  }
  const named = COLOURS.filter((colour) => new RegExp(`\\b${colour}\\b`, 'i').test(side.other));
  if (named.includes(of.becomes)) return 'confirmed';
  return named.length > 0 ? 'contradicted' : 'silent';
}

/** Whether a name begins with a brand spelt just so, as a word of its own. */
function begins(name: string, brand: string): boolean {
  return name.startsWith(brand) && !/[A-Za-z0-9]/.test(name.charAt(brand.length));
}

async function decide({ hub, tenant, by }: Run, proposals: readonly Answered[]): Promise<void> {
  const ids = (answer: keyof Answers): string[] =>
    proposals.filter((one) => one.answer === answer).map((one) => one.id);
  const accept = ids('confirmed');
  const reject = ids('contradicted');
  if (accept.length > 0) await decideCorrections(hub, { tenant, ids: accept, decision: 'accept', by });
  if (reject.length > 0) await decideCorrections(hub, { tenant, ids: reject, decision: 'reject', by });
}

/** Publishes what was learnt and gives what it corrects by itself in the half that was held back. */
async function afterwards(
  run: Run,
  of: { readonly sides: readonly Side[]; readonly setId: string; readonly learntId: string },
): Promise<readonly Answered[]> {
  const { hub, tenant, by } = run;
  await validateVersion(hub, { tenant, versionId: of.learntId, by });
  await publishVersion(hub, { tenant, versionId: of.learntId, by, makeCurrent: true });
  const all = await corrections(run, { sides: of.sides, rules: { setId: of.setId } });
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ id: string }>(
      `SELECT id FROM validahub.correction_logs WHERE id = ANY ($1::uuid[]) AND rule_id LIKE 'learnt%'`,
      [all.map((one) => one.id)],
    );
  const learnt = new Set(rows.map((row) => row.id));
  return all.filter((one) => learnt.has(one.id));
}

function answers(of: readonly Answered[]): Answers {
  const count = (answer: keyof Answers): number => of.filter((one) => one.answer === answer).length;
  return { confirmed: count('confirmed'), contradicted: count('contradicted'), silent: count('silent') };
}

function csv(sides: readonly Side[]): string {
  const rows = sides.map(({ title, brand, finish }) => [title, brand, finish].map(quoted).join(','));
  return `title,brand,finish\n${rows.join('\n')}\n`;
}

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}
