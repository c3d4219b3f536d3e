// How late a job is, by its schedule and the time it was last done for.
import { expect, test } from 'vitest';
import type { Schedule } from '../../src/define/job.ts';
import { lateMs } from '../../src/watch/late.ts';

const nightly: Schedule = { cron: '0 1 * * *' };
const HOUR = 3_600_000;

test.each<[string, Schedule, string, string, number]>([
  ['is not late before it is due', nightly, '2026-11-20T01:00Z', '2026-11-21T00:59:59Z', 0],
  ['is due on the second', nightly, '2026-11-20T01:00Z', '2026-11-21T01:00:00Z', 0],
  ['is late from then on', nightly, '2026-11-20T01:00Z', '2026-11-21T03:00Z', 2 * HOUR],
  [
    'is as late as the first of several missed times',
    nightly,
    '2026-11-10T01:00Z',
    '2026-11-13T01:00Z',
    48 * HOUR,
  ],
  [
    'goes by the earliest of several expressions',
    { cron: ['0 5 * * *', '0 2 * * *'] },
    '2026-11-20T01:00Z',
    '2026-11-20T04:00Z',
    2 * HOUR,
  ],
  [
    'goes by its zone',
    { cron: '0 1 * * *', zone: 'America/Sao_Paulo' },
    '2026-11-20T01:00Z',
    '2026-11-20T05:00Z',
    HOUR,
  ],
  ['goes by its interval', { everyMs: HOUR }, '2026-11-20T01:00Z', '2026-11-20T04:00Z', 2 * HOUR],
  ['is not late when the clock stepped back', nightly, '2026-11-21T01:00Z', '2026-11-20T23:00Z', 0],
  [
    'is not late when it never comes again',
    { cron: '0 0 30 2 *' },
    '2026-11-20T01:00Z',
    '2026-11-21T01:00Z',
    0,
  ],
])('a job %s', (...[, schedule, served, now, late]) => {
  expect(lateMs(schedule, new Date(served), new Date(now))).toBe(late);
});
