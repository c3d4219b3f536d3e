// PostgreSQL's deparse is not a fixed point: `status IN ('a', 'b')` on a varchar comes back as one text, and that text
// loaded again as another. Two databases with the same meaning then differ for ever. So a text that differs is given to
// the scratch server again, until both sides have been read the same number of times or mean different things.
import type { Fact, FactBase } from '@supabase/pg-delta/core';
import { diff, type Delta } from '@supabase/pg-delta/core';
import type { Pool } from 'pg';
import { extract, keyOf, type Facts } from './facts.ts';
import { actionsBetween, settingOf } from './plan-change.ts';
import { rebuilt, views, type Ownership } from './view.ts';

/** Deparse settles after one reload in every case known; one more is kept in reserve. */
const ROUNDS = 2;

type TextDelta = Extract<Delta, { verb: 'set' }> & { readonly from: string; readonly to: string };

/** Kinds whose texts the server writes itself, from what it parsed. */
const DEPARSED = new Set([
  'constraint',
  'index',
  'default',
  'column',
  'view',
  'materializedView',
  'policy',
  'trigger',
  'rule',
  'domain',
  'function',
  'procedure',
]);
const NEVER_DEPARSED = new Set(['type', 'collation', 'language', 'persistence', 'enabled']);

/** What {@link elaborate} is given. */
export interface Elaboration {
  /** The scratch database that holds the goal; its texts may be reloaded, its meaning never changes. */
  readonly scratch: Pool;
  readonly goal: Facts;
  readonly found: Facts;
  readonly ownership: Ownership;
}

/**
 * Elaborates the goal's texts alike to those of another database.
 * @returns the goal's facts, in which a text that means the same as the other side's is spelled the same
 */
export async function elaborate(given: Elaboration): Promise<Facts> {
  let { goal } = given;
  let doubtful = textDeltas({ ...given, goal });
  for (let round = 0; round < ROUNDS && doubtful.length > 0; round += 1) {
    const other = withTexts(goal.base, doubtful, (delta) => `${delta.to} `);
    if (!(await run(given, other, goal.base))) break;
    goal = await extract(given.scratch);
    doubtful = textDeltas({ ...given, goal });
  }
  return doubtful.length === 0 ? goal : reloadFound({ ...given, goal }, doubtful);
}

/** Texts the other side spells in a way no reload of ours gives: theirs is reloaded, and adopted where it then agrees. */
async function reloadFound(given: Elaboration, doubtful: readonly TextDelta[]): Promise<Facts> {
  const { goal, scratch } = given;
  const theirs = withTexts(goal.base, doubtful, (delta) => delta.from);
  if (!(await run(given, goal.base, theirs))) return goal;
  const reread = await extract(scratch);
  const agreeing = doubtful.filter((delta) => {
    const text = goal.base.get(delta.id)?.payload[delta.attr];
    return reread.base.get(delta.id)?.payload[delta.attr] === text;
  });
  const differing = doubtful.filter((delta) => !agreeing.includes(delta));
  if (differing.length > 0)
    await run(
      given,
      withTexts(reread.base, differing, () => ' '),
      goal.base,
    );
  return { ...goal, base: withTexts(goal.base, agreeing, (delta) => delta.from) };
}

function textDeltas(given: Elaboration): TextDelta[] {
  const sides = views(given.found, given.goal, given.ownership);
  return diff(sides.found, sides.goal).filter(isText);
}

function isText(delta: Delta): delta is TextDelta {
  return (
    delta.verb === 'set' &&
    DEPARSED.has(delta.id.kind) &&
    !NEVER_DEPARSED.has(delta.attr) &&
    typeof delta.from === 'string' &&
    typeof delta.to === 'string'
  );
}

function withTexts(
  base: FactBase,
  deltas: readonly TextDelta[],
  text: (delta: TextDelta) => string,
): FactBase {
  const changes = new Map<string, TextDelta[]>();
  for (const delta of deltas) {
    const key = keyOf(delta.id);
    changes.set(key, [...(changes.get(key) ?? []), delta]);
  }
  const facts = base.facts().map((fact): Fact => {
    const changed = changes.get(keyOf(fact.id));
    if (changed === undefined) return fact;
    const payload = { ...fact.payload };
    for (const delta of changed) payload[delta.attr] = text(delta);
    return { ...fact, payload };
  });
  return rebuilt(facts, base.edges, base);
}

/** Runs what turns `from` into `to`, all or nothing; false when the server refuses it. */
async function run({ scratch, goal }: Elaboration, from: FactBase, to: FactBase): Promise<boolean> {
  const actions = actionsBetween(from, to, settingOf(goal.user, from, to));
  const client = await scratch.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL check_function_bodies = off');
    for (const action of actions) await client.query(action.sql);
    await client.query('COMMIT');
    return true;
  } catch {
    await client.query('ROLLBACK');
    return false;
  } finally {
    client.release();
  }
}
