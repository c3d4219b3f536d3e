// Tables whose rows everybody is let read on purpose: the one policy that reading asks says true, and nothing narrows it.
import { label } from '../../define/model.ts';
import type { Target } from './objects.ts';
import type { Stage, Try } from './stage.ts';

/**
 * Tells what an attempt showed of such a table, or of a view over such tables alone, in the place of calling it a way across.
 * A public profile is a policy that somebody wrote for reading; a change of such a row is a way across as any other.
 * @returns false: it is none, and nothing was told
 */
export function toldAsPublic(
  stage: Stage,
  { object, attack, statements }: Pick<Try, 'object' | 'attack' | 'statements'>,
): boolean {
  const target = stage.targets.find((one) => label(one) === object);
  if (target === undefined || !reads(attack, statements)) return false;
  const tables =
    target.kind === 'v' ? stage.targets.filter(({ oid }) => target.bases.includes(oid)) : [target];
  const [first] = tables;
  if (first === undefined || tables.some((one) => one.publicBy === null)) return false;
  stage.board.tell(object, attack);
  for (const one of tables) sayOf(stage, one);
  return true;
}

function sayOf(stage: Stage, table: Target): void {
  stage.board.say({
    subject: label(table),
    severity: 'warning',
    what: `policy ${table.publicBy ?? ''} is FOR SELECT USING (true), and no other policy is asked for reading: whoever may SELECT reads the rows of every owner.`,
    fix: 'Nothing, where these rows are meant to be public; else compare the owner column in that policy.',
  });
}

const WRITE = /^\s*(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE)\b/i;

/** That a key is taken says nothing more where the row itself can be read. */
function reads(attack: Try['attack'], statements: readonly string[]): boolean {
  if (attack === 'existence') return true;
  if (attack === 'upsert') return statements.some((sql) => sql.endsWith('ON CONFLICT DO NOTHING'));
  return !statements.some((sql) => WRITE.test(sql));
}
