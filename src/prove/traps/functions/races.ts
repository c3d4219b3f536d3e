// HT323 and HT324: functions that count, and lose the count.
import type { Draft, TrapCheck } from '../check.ts';
import { type Routine, routines, routineSubject } from '../facts/functions.ts';

const NAME = String.raw`((?:"[^"]+"|[a-z_]\w*)(?:\.(?:"[^"]+"|[a-z_]\w*))?)`;
const COUNT = new RegExp(String.raw`\bselect\b[^;]*?\b(?:count|sum)\s*\([^;]*?\bfrom\s+${NAME}[^;]*;`, 'gi');
const HELD = /\bfor\s+(?:no\s+key\s+)?update\b|\block\s+table\b|\bpg_(?:try_)?advisory_(?:xact_)?lock/i;

export const countedThenInserted: TrapCheck = {
  code: 'HT323',
  name: 'counted-then-inserted',
  title: 'A limit is checked by counting, and then a row is inserted',
  severity: 'warning',
  traps: ['B1-14'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      const table = routine.language === 'plpgsql' ? counted(routine.code) : undefined;
      if (table === undefined || HELD.test(routine.code)) return [];
      return {
        subject: routineSubject(routine),
        what: `It counts rows of ${table}, compares, and inserts into ${table}, holding nothing in between.`,
        effect:
          'Two calls at once both count before either has inserted: the limit is passed by as many as call together (107 of 100 with 8 clients).',
        mend: [],
        advice:
          'Keep the sum in one row and change it with one statement: UPDATE … SET used = used + n WHERE used + n <= most, and see whether a row was changed; or lock the row of the owner first with SELECT … FOR UPDATE.',
      };
    });
  },
  page: {
    what: '`SELECT count(*) INTO used FROM usage WHERE …; IF used < 100 THEN INSERT INTO usage …` in a function.',
    effect:
      'Under READ COMMITTED both of two calls at once see the same count. With a limit of 100 and 8 clients 107 rows were there.',
    mend: 'One row that holds the sum, and one conditional statement: `INSERT … ON CONFLICT DO UPDATE SET used = quota.used + 1 WHERE quota.used + 1 <= 100`.',
  },
};

/** The table that is counted, then compared, then inserted into, in this order. */
function counted(code: string): string | undefined {
  const all = code.toLowerCase();
  const never = new Set<string>();
  return [...code.matchAll(COUNT)].find((match) => {
    const table = match[1] ?? '';
    if (never.has(table)) return false;
    const rest = all.slice(match.index + match[0].length);
    const inserted = rest.search(new RegExp(String.raw`\binsert\s+into\s+${escaped(table)}(?![\w.$])`));
    if (inserted < 0) never.add(table);
    const between = rest.slice(0, Math.max(inserted, 0));
    return /\bif\b/.test(between) && /[<>]/.test(between);
  })?.[1];
}

function escaped(name: string): string {
  return name.toLowerCase().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

const COUNTER =
  /^update\s[\s\S]*?\bset\s[\s\S]*?\b(\w*(?:fail|attempt)\w*)\s*=\s*(?:coalesce\s*\(\s*)?(?:\w+\.)?\1\b/i;
// Of the levels only EXCEPTION, which is meant where none is named, ends the transaction.
const RAISES = /^raise\b(?!\s+(?:notice|warning|info|log|debug)\b)/i;

/** A counter that is counted up and then, on every way on from there, taken back by an error. */
function takenBack({ statements }: Routine): string | undefined {
  const at = statements.findIndex(({ text, kind }) => kind === 'statement' && COUNTER.test(text));
  const counted = statements[at];
  if (counted === undefined) return undefined;
  const after = statements
    .slice(at + 1)
    .filter(
      ({ kind, within }) => kind === 'statement' && within.every((one, deep) => counted.within[deep] === one),
    );
  const ends = after.find(
    ({ text }) => RAISES.test(text) || /^(?:return|commit)\b(?!\s+(?:next|query)\b)/i.test(text),
  );
  return ends !== undefined && RAISES.test(ends.text) ? COUNTER.exec(counted.text)?.[1] : undefined;
}

export const counterRolledBack: TrapCheck = {
  code: 'HT324',
  name: 'counter-rolled-back',
  title: 'A counter of failures is taken back by the failure',
  severity: 'error',
  traps: ['B1-13'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      const counter = takenBack(routine);
      if (counter === undefined) return [];
      return {
        subject: routineSubject(routine),
        what: `It counts ${counter} up and raises an error after that.`,
        effect:
          'The error takes the transaction back, and the count with it: it stays at 0, and nobody is ever locked out.',
        mend: [],
        advice:
          'Return a verdict instead of raising, so that the caller commits; or count in a transaction of its own.',
      };
    });
  },
  page: {
    what: "A sign-in function: `UPDATE users SET failed_attempts = failed_attempts + 1 …; RAISE EXCEPTION 'wrong password'`.",
    effect:
      'An error ends the transaction, and everything in it is undone: after any number of wrong passwords failed_attempts is 0.',
    mend: 'Return false and let the caller commit; count in a transaction of its own, with `UPDATE … RETURNING` for the lock.',
  },
};
