// Whether a function's answer changes with another owner's row: then it tells of the row, whatever the answer is.
import { label } from '../../../define/model.ts';
import type { World } from '../../rows/index.ts';
import type { Attacker, Seen, Settings } from '../attacker.ts';
import { without } from '../inspector.ts';
import type { Routine, Target } from '../objects.ts';
import type { Stage } from '../stage.ts';

/** A call, as who, about whose rows. */
export interface Question {
  readonly session: Attacker;
  readonly routine: Routine;
  readonly settings: Settings;
  readonly statement: string;
  readonly victim: World;
}

const MOST_TABLES = 3;

/**
 * Asks again with a row of the other owner taken away, in each table that the body speaks of.
 * @returns words for people; undefined when every answer is the same, or when two calls alike already differ
 */
export async function answersByRow(stage: Stage, question: Question): Promise<string | undefined> {
  const { routine, victim } = question;
  const tables = stage.targets.filter(
    (one) => !one.partition && ['r', 'p'].includes(one.kind) && speaksOf(routine.body, one),
  );
  const first = await ask(question);
  if (first === undefined || first !== (await ask(question))) return undefined;
  for (const table of tables.slice(0, MOST_TABLES)) {
    const row = stage.witness.rowsOf(table, victim)[0];
    if (row === undefined) continue;
    let other: string | undefined = first;
    await without(stage, { of: table, row }, async () => {
      other = await ask(question);
    });
    if (other !== undefined && other !== first) {
      return `the answer changes when a row of owner ${victim.number} leaves ${label(table)}: ${first} with it, ${other} without`;
    }
  }
  return undefined;
}

async function ask({ session, settings, statement }: Question): Promise<string | undefined> {
  return answer(await session.attempt(settings, [statement]));
}

/** An answer as text; an error is one too, but for those that say nothing of rows. */
function answer(seen: Seen): string | undefined {
  if (seen.error !== undefined) return seen.error.code === 'P0001' ? seen.error.message : undefined;
  const rows = seen.results.flatMap((result) => result.rows);
  return rows.length === 0
    ? 'no row'
    : rows.map((row) => row.map((value) => value ?? 'NULL').join(', ')).join('; ');
}

function speaksOf(body: string, target: Target): boolean {
  return new RegExp(String.raw`(?<![\w$])${target.name.replaceAll('$', String.raw`\$`)}(?![\w$])`).test(body);
}
