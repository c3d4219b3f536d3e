// HT315 and HT316: chains of hashes kept by triggers.
import type { Draft, TrapCheck } from '../check.ts';
import { routines, routineSql, routineSubject, type Routine } from '../facts/functions.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { relationsNamed } from '../facts/sql-text.ts';
import { triggers } from '../facts/triggers.ts';

const LAST = /\b(order\s+by\b[\s\S]*?\bdesc\b[\s\S]*?\blimit\s+1|max\s*\()/i;
const CHAINS = /\b(prev|previous|last|parent)_?\w*hash\b|\bhash_?(prev|chain)/i;

export const chainForks: TrapCheck = {
  code: 'HT315',
  name: 'chain-forks',
  title: 'A chain of hashes forks when two write at once',
  severity: 'warning',
  traps: ['B1-04', 'B1-05'],
  find: async ({ facts }) => {
    const { byOid } = await facts(relations);
    const { all } = await facts(triggers);
    const functions = await facts(routines);
    const seen = new Set<string>();
    return all.flatMap((trigger): Draft | readonly Draft[] => {
      const table = byOid(trigger.relation);
      const routine = functions.byOid(trigger.function);
      if (
        table === undefined ||
        routine === undefined ||
        trigger.inherited ||
        !trigger.events.includes('insert')
      )
        return [];
      if (!readsItself(routine, table) || !LAST.test(routine.code) || !CHAINS.test(routine.code)) return [];
      if (seen.has(routineSubject(routine))) return [];
      seen.add(routineSubject(routine));
      const anew = table.rowSecurity && !routine.definer;
      return {
        subject: routineSubject(routine),
        what: `It reads the last row of ${table.schema}.${table.name}, which it chains the new one to, without holding anything.`,
        effect: `Two transactions at once read the same last row and both follow it: the chain forks, and a check of it fails or is blind.${anew ? ` It reads under row security: each owner's first row begins a chain of its own.` : ''}`,
        mend: [],
        advice:
          'Keep the head in a table of one row for each chain, take it with SELECT … FOR UPDATE, and number from it, not from a sequence; or let one writer seal entries afterwards, which blocks nobody. An advisory lock is not enough where the order comes from a sequence.',
      };
    });
  },
  page: {
    what: 'A BEFORE INSERT trigger selects the last hash of its own table and stores it as `prev_hash`.',
    effect:
      "8 clients with 250 inserts each: 2,000 rows, 510 forks, 6 beginnings. With an advisory lock but ordered by a sequence still 9 forks. Under row security the trigger sees its caller's rows only, and each tenant's first row is another beginning.",
    mend: 'One row that holds the head of the chain, read `FOR UPDATE`; the function SECURITY DEFINER where row security is on. It serialises commits: for volume seal entries afterwards into a Merkle tree.',
  },
};

function readsItself(routine: Routine, table: Relation): boolean {
  return relationsNamed(routine.code).some(
    ({ schema, name }) => name === table.name && (schema === undefined || schema === table.schema),
  );
}

const HASHES = /\b(sha224|sha256|sha384|sha512|digest|md5)\s*\(/i;
const INSTANT =
  /\b(?:new\.)?(?:\w*_at|timestamp|ts|occurred|now\s*\(\s*\)|current_timestamp|clock_timestamp\s*\(\s*\))\s*(?:::\s*text|\)\s*::\s*text)/i;
const BARE = /(?:\|\|\s*(?:new|old)\.\w+|(?:new|old)\.\w+(?:\s*::\s*\w+)?\s*\|\|)/i;

export const hashNotReproducible: TrapCheck = {
  code: 'HT316',
  name: 'hash-not-reproducible',
  title: 'A hash depends on the session, or is NULL for a row with a NULL',
  severity: 'warning',
  traps: ['B1-07'],
  find: async ({ facts }) => {
    const { all } = await facts(routines);
    return all.flatMap((routine): Draft | readonly Draft[] => {
      if (!HASHES.test(routine.code)) return [];
      const zoned = routine.settings.some((setting) => /^timezone=/i.test(setting));
      const instant = !zoned && INSTANT.test(routine.code);
      const bare = BARE.test(routine.code) && routine.isTrigger;
      if (!instant && !bare) return [];
      const effects = [
        ...(instant
          ? [
              "The text of an instant follows the session's TimeZone and DateStyle: checked in another session the same row has another hash.",
            ]
          : []),
        ...(bare
          ? [
              "'a' || NULL is NULL: one NULL column makes the whole hash NULL; and without a separator ('ab', 'c') hashes as ('a', 'bc').",
            ]
          : []),
      ];
      return {
        subject: routineSubject(routine),
        what: `It hashes ${instant ? 'an instant as text' : 'columns joined with ||'}${instant && bare ? ' and columns joined with ||' : ''}.`,
        effect: effects.join(' '),
        mend: bare
          ? []
          : [
              `ALTER ${routineSql(routine)} SET TimeZone = 'UTC'`,
              `ALTER ${routineSql(routine)} SET DateStyle = 'ISO, YMD'`,
            ],
        advice: bare
          ? "Hash one canonical text: jsonb_build_array(…)::text with instants as to_char(at AT TIME ZONE 'UTC', …US)."
          : 'Hashes that sessions in other zones have written stay as they are.',
      };
    });
  },
  page: {
    what: '`sha256((NEW.id || NEW.actor || NEW.created_at::text)::bytea)` in a trigger.',
    effect:
      "`created_at::text` differs between UTC and America/Sao_Paulo and with DateStyle, so that the hash cannot be recomputed. `'a' || NULL` is NULL, so that one NULL column makes the hash NULL. Without separators different rows hash alike.",
    mend: "`SET TimeZone = 'UTC'` and `SET DateStyle = 'ISO, YMD'` on the function; one canonical encoding with lengths or JSON, instants in UTC with microseconds.",
  },
};
