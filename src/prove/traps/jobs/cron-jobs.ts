// HT401 to HT404 and HT409: jobs of pg_cron that fail, coincide or share a name.
import { Cron as Schedule } from 'croner';
import { literal } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { cron, jobSubject, type CronJob } from '../facts/cron.ts';
import { routines, routineSubject } from '../facts/functions.ts';
import { grouped } from '../facts/grouped.ts';
import { callsNamed, relationsNamed, withoutText } from '../facts/sql-text.ts';
import { absent, runsAlone } from '../functions/bodies.ts';

/** The jobs that could be seen; what could not is told. */
async function jobsOf({ facts, unseen }: TrapContext): Promise<readonly CronJob[]> {
  const { jobs, why } = await facts(cron);
  if (why !== undefined) unseen(why);
  return jobs.filter(({ active }) => active);
}

export const jobAlwaysFails: TrapCheck = {
  code: 'HT401',
  name: 'job-always-fails',
  title: 'A job of pg_cron has failed at every one of its last runs',
  severity: 'error',
  traps: ['BX-18'],
  find: async (context) =>
    (await jobsOf(context)).flatMap((job): Draft | readonly Draft[] => {
      const [last] = job.runs;
      if (last === undefined || job.runs.some(({ status }) => status === 'succeeded')) return [];
      return {
        subject: jobSubject(job),
        what: `Its last ${job.runs.length === 1 ? 'run' : `${job.runs.length} runs`} failed, none succeeded.`,
        effect: `The last said: ${(last.message ?? 'nothing').split('\n')[0]}`,
        mend: [],
        advice:
          'Failures stand in cron.job_run_details and nowhere else: alert on the age of the last success of each job.',
      };
    }),
  page: {
    what: 'Every recorded run of a job ended as `failed`.',
    effect:
      'pg_cron goes on trying and tells nobody: of the five jobs of one design four failed at every run (`relation "archive.agent_outputs" does not exist`, `cannot refresh materialized view … concurrently`, `VACUUM cannot be executed from a function`).',
    mend: "Repair what the message says, run the command once by hand as the job's user, and alert on the age of the last success.",
  },
};

export const jobCannotRun: TrapCheck = {
  code: 'HT402',
  name: 'job-cannot-run',
  title: 'The command of a job is certain to fail',
  severity: 'error',
  traps: ['BX-18', 'BX-14', 'BX-24'],
  find: async (context) => {
    const { all } = await context.facts(routines);
    const here = (await jobsOf(context)).map((job) => ({ job, code: withoutText(job.command) }));
    const [database] = await context.query<{ name: string }>(
      'SELECT pg_catalog.current_database()::pg_catalog.text AS name',
    );
    const jobs = here.filter(({ job }) => job.database === database?.name);
    const missing = await absent(
      context,
      jobs.flatMap(({ code }) => relationNames(code)),
    );
    const callable = await functionsThere(
      context,
      jobs.flatMap(({ code }) => callsNamed(code).map(({ name }) => name)),
    );
    return jobs.flatMap(({ job, code }): Draft | readonly Draft[] => {
      const calls = callsNamed(code).filter(({ name }) => !KEYWORDS.has(name));
      const relation = relationNames(code).find((name) => missing.has(name));
      const gone = calls.find(({ name }) => !callable.has(name));
      const broken = all.find(
        (routine) =>
          runsAlone(routine) !== undefined &&
          calls.some(
            ({ name, schema }) => name === routine.name && (schema ?? routine.schema) === routine.schema,
          ),
      );
      const statements = code.split(';').filter((statement) => statement.trim() !== '');
      const together =
        statements.length > 1 &&
        /^\s*(vacuum|create\s+index\s+concurrently|reindex\s+\w+\s+concurrently)/im.test(
          statements.join('\n'),
        );
      const effect =
        relation !== undefined
          ? `relation "${relation.replaceAll('"', '')}" does not exist`
          : gone !== undefined
            ? `function ${gone.schema === undefined ? '' : `${gone.schema}.`}${gone.name}(…) does not exist`
            : broken !== undefined
              ? `${routineSubject(broken)} runs a statement that cannot be executed from a function`
              : together
                ? 'VACUUM cannot run inside a transaction block: several statements of one command are one transaction'
                : undefined;
      if (effect === undefined) return [];
      return {
        subject: jobSubject(job),
        what: `It runs: ${job.command.trim().slice(0, 120)}`,
        effect: `Every run fails: ${effect}.`,
        mend: [],
        advice: 'Repair the command and run it once by hand as the user of the job; one statement a job.',
      };
    });
  },
  page: {
    what: 'A job calls a function that is not there, names a table that is not there, calls a function that runs VACUUM, or has several statements of which one must stand alone.',
    effect:
      'The command is looked at when it runs, not when it is scheduled: it fails every time, and only cron.job_run_details says so.',
    mend: "One statement a job, tried by hand as the job's user before it is scheduled.",
  },
};

const KEYWORDS = new Set([
  'values',
  'in',
  'any',
  'all',
  'exists',
  'and',
  'or',
  'not',
  'as',
  'on',
  'over',
  'filter',
  'coalesce',
  'nullif',
  'greatest',
  'least',
  'cast',
  'extract',
  'row',
  'array',
  'into',
  'interval',
  'using',
  'with',
  'materialized',
  'vacuum',
  'analyze',
  'substring',
  'position',
  'trim',
  'overlay',
]);

// INSERT INTO t (a, b) is written like a call.
function relationNames(code: string): readonly string[] {
  return relationsNamed(code)
    .filter(({ schema }) => schema !== 'cron' && schema !== 'pg_catalog')
    .map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`))
    .filter((name) => !/^(pg_\w+|only|skip|set|nowait|concurrently|of)$/.test(name));
}

async function functionsThere(
  { query }: TrapContext,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await query<{ name: string }>(
    `SELECT p.proname::pg_catalog.text AS name FROM pg_catalog.pg_proc p WHERE p.proname = ANY ($1::pg_catalog.name[])
     UNION SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relname = ANY ($1::pg_catalog.name[])`,
    [[...new Set(names)]],
  );
  return new Set(rows.map(({ name }) => name));
}

export const schedulerMissing: TrapCheck = {
  code: 'HT403',
  name: 'scheduler-missing',
  title: 'A function schedules with pg_cron, which is not in this database',
  severity: 'error',
  traps: ['BX-16', 'B3-14'],
  find: async ({ facts, query }) => {
    const { version } = await facts(cron);
    const { all } = await facts(routines);
    const [own] = await query<{ there: boolean }>(
      `SELECT pg_catalog.to_regnamespace('cron') IS NOT NULL AS there`,
    );
    if (version !== null || own?.there === true) return [];
    return all.flatMap((routine): Draft | readonly Draft[] => {
      // Who asks whether it is there has thought of it.
      if (/\bpg_extension\b|\bto_reg\w+\b|\bexception\s+when\b/i.test(routine.code)) return [];
      const used = /\bcron\s*\.\s*(schedule|unschedule|schedule_in_database|alter_job|job)\b/i.exec(
        routine.runs.join(' '),
      )?.[1];
      if (used === undefined) return [];
      return {
        subject: routineSubject(routine),
        what: `It uses cron.${used}.`,
        effect:
          'Every call fails: schema "cron" does not exist. pg_cron lives in one database of the server, needs shared_preload_libraries and a superuser to create it, and a dump of it restores into no other database.',
        mend: [],
        advice:
          'Create pg_cron in the database that cron.database_name names and use cron.schedule_in_database, or schedule outside the database.',
      };
    });
  },
  page: {
    what: 'Functions or migrations call `cron.schedule`, and the extension was never created here.',
    effect:
      '`schema "cron" does not exist`. In any database but the one of cron.database_name: `can only create extension in database postgres`; without superuser `permission denied to create extension "pg_cron"`; `cron.unschedule` of a job that is not there: `could not find valid entry for job`.',
    mend: 'Ask pg_extension first; `cron.schedule_in_database` from the one database that has it; or a scheduler outside.',
  },
};

const LOOK_AHEAD_DAYS = 40;
const MOST_STARTS = 60;
const DAILY_MS = 86_400_000;

export const jobsCoincide: TrapCheck = {
  code: 'HT404',
  name: 'jobs-coincide',
  title: 'Several rare jobs begin in the same minute',
  severity: 'info',
  traps: ['BX-33'],
  find: async (context) => {
    const rare = (await jobsOf(context)).flatMap((job) => {
      const starts = startsOf(job, context.now);
      const [first, second] = starts;
      return first !== undefined && (second === undefined || second - first >= DAILY_MS)
        ? [{ job, starts }]
        : [];
    });
    const byMinute = grouped(
      rare.flatMap(({ job, starts }) => starts.map((at) => ({ job, at }))),
      ({ at }) => at,
    );
    const told = new Set<string>();
    return [...byMinute]
      .toSorted(([, a], [, b]) => b.length - a.length)
      .flatMap(([at, group]): Draft | readonly Draft[] => {
        const jobs = group.map(({ job }) => job);
        if (jobs.length < 2 || jobs.every(({ id }) => told.has(id))) return [];
        for (const { id } of jobs) told.add(id);
        return {
          subject: `jobs ${jobs.map(({ id, name }) => name ?? id).join(', ')}`,
          what: `They begin in the same minute, next on ${new Date(at).toISOString().slice(0, 16)}Z.`,
          effect:
            'They compete for disk and memory, and the snapshot of the longest keeps what the others leave behind from being cleaned up.',
          mend: jobs.slice(1).flatMap((job, index) => staggered(job, index + 1)),
          advice:
            'Give them an order: archive, then vacuum, then backup. pg_cron reads its schedules in GMT unless cron.timezone says otherwise.',
          ...(jobs.length > 2 ? { severity: 'warning' as const } : {}),
        };
      });
  },
  page: {
    what: 'Jobs that run daily or less often are scheduled at the same minute: the archive move, the backup and the vacuum on Sunday at 02:00.',
    effect:
      "They wait for each other's locks and disk, and while the dump's snapshot is held nothing that was deleted can be cleaned up.",
    mend: "Stagger them in the order they depend on each other: `SELECT cron.alter_job(7, schedule => '40 2 * * 0')`.",
  },
};

function startsOf({ schedule }: CronJob, now: Date): readonly number[] {
  const until = now.getTime() + LOOK_AHEAD_DAYS * DAILY_MS;
  try {
    const dates = new Schedule(schedule.replaceAll('$', 'L'), { timezone: 'UTC' }).nextRuns(MOST_STARTS, now);
    return dates.map((date) => date.getTime()).filter((at) => at <= until);
  } catch {
    // '30 seconds', @reboot: no minute to coincide in.
    return [];
  }
}

const STEP_MINUTES = 20;

function staggered({ id, schedule }: CronJob, place: number): readonly string[] {
  const [minute = '', hour = '', ...rest] = schedule.trim().split(/\s+/);
  if (!/^\d+$/.test(minute) || !/^\d+$/.test(hour)) return [];
  const at = Number(hour) * 60 + Number(minute) + place * STEP_MINUTES;
  const moved = [at % 60, Math.floor(at / 60) % 24, ...rest].join(' ');
  return [`SELECT cron.alter_job(${Number(id)}, schedule => ${literal(moved)})`];
}

export const jobNameShared: TrapCheck = {
  code: 'HT409',
  name: 'job-name-shared',
  title: 'Two jobs of pg_cron have one name',
  severity: 'warning',
  traps: ['BX-17'],
  find: async (context) => {
    const named = (await jobsOf(context)).filter(({ name }) => name !== null);
    return [...grouped(named, ({ name }) => name)].flatMap(([, jobs]): Draft | readonly Draft[] => {
      const [first] = jobs;
      if (first === undefined || jobs.length < 2) return [];
      return {
        subject: jobSubject(first),
        what: `${jobs.map(({ id, user, database }) => `job ${id} of ${user} in ${database}`).join(' and ')} have this name.`,
        effect:
          'cron.schedule with this name overwrites the one of the same user without an error, and cron.unschedule takes the one of whoever calls it.',
        mend: [],
        advice: 'Begin the names of jobs with the system they belong to.',
      };
    });
  },
  page: {
    what: 'Two systems that share a server both schedule `create-partitions`.',
    effect:
      '`cron.schedule` is an upsert on name and user: registered by the same user, the second silently replaces the first, whose partitions are no longer made. By different users both stand and are confused.',
    mend: 'Names with a prefix for each system (`shop_create_partitions`); refuse to register a name that has another command.',
  },
};
