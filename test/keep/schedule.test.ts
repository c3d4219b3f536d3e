// When schedules are due, across the days on which clocks change.
import { describe, expect, test } from 'vitest';
import { database, job, type Schedule } from '../../src/define/index.ts';
import { checkSchedules, dueAfter, dueBefore, jobStatus, saySchedule } from '../../src/keep/index.ts';
import { verdict, type Moment } from '../../src/keep/due.ts';
import { groupsOf, nextOf } from '../../src/keep/order.ts';
import { jobsOf, MINUTE } from './kit.ts';

const STEP_MS = 5 * MINUTE;

/** Every time a keeper that looks every five minutes would begin a job between two instants. */
function begun(schedule: Schedule, from: string, to: string): string[] {
  const [one] = jobsOf({ one: { schedule } }).jobs;
  if (one === undefined) throw new Error('a definition of one job');
  const start = new Date(from);
  let lastDueAt = start;
  const found: string[] = [];
  for (let at = start.getTime(); at <= Date.parse(to); at += STEP_MS) {
    const row = {
      name: 'one',
      firstSeenAt: start,
      lastDueAt,
      servedDueAt: lastDueAt,
      attempt: 1,
      failures: 0,
    };
    const none = { lastStartedAt: null, lastSuccessAt: null, retryAt: null, lastError: null };
    const moment: Moment = {
      now: new Date(at),
      attendedFrom: start,
      graceMs: 0,
      elapsedMs: at,
      atStart: false,
    };
    const due = verdict(one, { ...row, ...none }, moment);
    if (due === undefined || !('dueAt' in due)) continue;
    lastDueAt = due.dueAt;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

describe('where clocks change', () => {
  test.each([
    // A day without 00:30: São Paulo jumped from 00:00 to 01:00.
    [
      '30 0 * * *',
      'America/Sao_Paulo',
      '2018-11-03T00:00Z',
      ['2018-11-03T03:30', '2018-11-04T03:00', '2018-11-05T02:30'],
    ],
    // A day with 23:30 twice.
    [
      '30 23 * * *',
      'America/Sao_Paulo',
      '2018-02-17T00:00Z',
      ['2018-02-17T01:30', '2018-02-18T01:30', '2018-02-19T02:30'],
    ],
    [
      '30 2 * * *',
      'America/Sao_Paulo',
      '2018-11-03T00:00Z',
      ['2018-11-03T05:30', '2018-11-04T04:30', '2018-11-05T04:30'],
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T00:00Z',
      ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T00:00Z',
      ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      '30 2 * * *',
      'America/New_York',
      '2026-03-07T00:00Z',
      ['2026-03-07T07:30', '2026-03-08T07:00', '2026-03-09T06:30'],
    ],
    // Half an hour only.
    ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', ['2026-10-03T15:30', '2026-10-04T15:15']],
    [
      '10 0 * * *',
      'Asia/Kathmandu',
      '2026-02-27T00:00Z',
      ['2026-02-27T18:25', '2026-02-28T18:25', '2026-03-01T18:25'],
    ],
  ])('%s in %s runs once a day', (...[cron, zone, from, expected]) => {
    const to = new Date(Date.parse(from) + expected.length * 24 * 60 * MINUTE).toISOString();
    expect(begun({ cron, zone }, from, to)).toEqual(expected);
  });

  test('an expression for every twenty minutes goes on through an hour that comes twice', () => {
    const schedule = { cron: '*/20 * * * *', zone: 'Europe/Berlin' };
    expect(begun(schedule, '2026-10-24T23:50Z', '2026-10-25T02:00Z')).toHaveLength(7);
  });

  test('leap days', () => {
    const schedule = { cron: '0 0 29 2 *' };
    expect(dueAfter(schedule, new Date('2026-01-15T00:00Z'))).toEqual(new Date('2028-02-29T00:00Z'));
    expect(dueBefore(schedule, new Date('2028-02-29T00:00:00.000Z'))).toEqual(new Date('2028-02-29T00:00Z'));
    expect(dueBefore(schedule, new Date('2028-02-28T23:59:59.999Z'))).toEqual(new Date('2024-02-29T00:00Z'));
  });
});

describe('a schedule that cannot be read', () => {
  test.each([
    [{ cron: '61 * * * *' }, '"61 * * * *" is no cron expression: Invalid value for minute: 61.'],
    [
      { cron: ['0 0 * * *', 'often'] },
      `"often" is no cron expression: invalid configuration format ('often'), exactly five, six, or seven space separated parts are required.`,
    ],
    [{ cron: [] }, 'its cron is an empty list.'],
    [{ cron: '0 0 30 2 *' }, '"0 0 30 2 *" is never due.'],
    [{ cron: '0 0 * * *', zone: 'Europe/Nowhere' }, 'there is no time zone "Europe/Nowhere".'],
    [{ cron: '0 0 * * *', zone: '' }, 'there is no time zone "".'],
  ] satisfies [Schedule, string][])('%j is refused before anything runs', (schedule, what) => {
    const definition = database('wrong', { jobs: [job('odd', { schedule }, { sql: 'SELECT 1' })] });
    expect(() => checkSchedules(definition)).toThrow(
      expect.objectContaining({
        code: 'HF_DEFINITION',
        diagnostics: [expect.objectContaining({ code: 'HF_CRON', subject: 'job odd', what })],
      }),
    );
  });

  test('one that can says itself in words', () => {
    expect(saySchedule({ cron: ['0 1 * * *', '0 2 * * *'], zone: 'Asia/Kathmandu' })).toBe(
      '0 1 * * * or 0 2 * * * Asia/Kathmandu',
    );
    expect(saySchedule({ everyMs: 90_000 })).toBe('every 90 s');
  });
});

describe('groups', () => {
  const daily = { schedule: { cron: '0 0 * * *' } };

  test('join what `after` connects over any number of jobs', () => {
    const { jobs } = jobsOf({
      e: { ...daily, after: ['c'] },
      a: daily,
      b: { ...daily, after: ['a'] },
      c: daily,
      d: { ...daily, after: ['b', 'c'] },
      f: daily,
    });
    expect(groupsOf(jobs)).toEqual([['a', 'b', 'c', 'e', 'd'], ['f']]);
  });

  test('give one job each, while there is room', () => {
    const groups = [['a', 'b'], ['c'], ['d']];
    const due = new Set(['b', 'c', 'd']);
    expect(nextOf(groups, { due, running: new Set(), room: 2 })).toEqual(['b', 'c']);
    expect(nextOf(groups, { due, running: new Set(['a']), room: 2 })).toEqual(['c', 'd']);
    expect(nextOf(groups, { due, running: new Set(['a', 'c']), room: 0 })).toEqual([]);
  });
});

test('where jobs stand is not said of a schedule that cannot be read', async () => {
  const slip = database('slip', {
    tables: {},
    jobs: [job('nightly', { schedule: { cron: '0 25 * * *' } }, { sql: 'SELECT 1' })],
  });
  const unasked = { query: () => Promise.reject(new Error('the database was asked')) };
  await expect(jobStatus(slip, unasked as never, { now: new Date() })).rejects.toMatchObject({
    code: 'HF_DEFINITION',
    diagnostics: [expect.objectContaining({ code: 'HF_CRON', subject: 'job nightly' })],
  });
});
