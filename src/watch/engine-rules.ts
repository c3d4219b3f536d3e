// When the engine's own metrics are wrong. Every rule stands on series of one scrape target, so that any number of
// databases may share a Prometheus, and none on a series being there but the two that say it is not.
import type { Definition } from '../define/database.ts';
import type { AlertRule } from '../define/measure.ts';

/** A job is late when it has been due for this long without having succeeded; retries and other jobs have had their time. */
export const lateAfterSeconds = 3600;

const GUIDE = 'See docs/guide/watch.md.';

/** The engine's rules for a definition; those about jobs only where it has any. */
export function engineRules(definition: Definition): readonly AlertRule[] {
  return [
    ...aboutScrapes(definition.name),
    ...aboutCollections,
    ...(definition.jobs.length > 0 ? aboutJobs : []),
  ];
}

function aboutScrapes(definition: string): readonly AlertRule[] {
  const build = `holdfast_build_info{definition=${JSON.stringify(definition)}`;
  return [
    {
      name: 'HoldfastScrapeFailing',
      // Whatever the scrape job is called: a target that was one of ours within the day.
      expr: 'up == 0 and on (job, instance) present_over_time(holdfast_build_info[1d])',
      for: '10m',
      severity: 'page',
      summary: 'Metrics of {{ $labels.instance }} cannot be scraped.',
      description: `Nothing is known of this database: start the keeper or holdfast metrics again. ${GUIDE}`,
      cases: [
        {
          series: {
            'up{job="db",instance="a"}': '1x5 0x30',
            'holdfast_build_info{job="db",instance="a"}': '1x5 _x30',
            'up{job="db",instance="b"}': '1x40',
            'holdfast_build_info{job="db",instance="b"}': '1x40',
            'up{job="other",instance="c"}': '0x40',
          },
          atMinute: 30,
          fires: [{ job: 'db', instance: 'a' }],
        },
        {
          series: {
            'up{job="db",instance="a"}': '1x5 0x3 1x30',
            'holdfast_build_info{job="db",instance="a"}': '1x5 _x3 1x30',
          },
          atMinute: 12,
          fires: [],
        },
      ],
    },
    {
      name: 'HoldfastNotScraped',
      expr: `absent(${build}})`,
      for: '15m',
      severity: 'page',
      summary: 'No metrics of definition {{ $labels.definition }} reach Prometheus.',
      description: `No target serves them: see the scrape configuration, and whether anything serves /metrics. ${GUIDE}`,
      cases: [
        { series: {}, atMinute: 20, fires: [{ definition }] },
        { series: { [`${build},instance="a",job="db"}`]: '1x40' }, atMinute: 30, fires: [] },
      ],
    },
  ];
}

const aboutCollections: readonly AlertRule[] = [
  {
    name: 'HoldfastDatabaseDown',
    expr: 'holdfast_database_up == 0',
    for: '5m',
    severity: 'page',
    summary: 'The database behind {{ $labels.instance }} lets nobody measure it.',
    description: `It is down, full, or refuses the monitoring role; the comments of /metrics say which. ${GUIDE}`,
    cases: [
      { series: { 'holdfast_database_up{instance="a"}': '0x10' }, atMinute: 8, fires: [{ instance: 'a' }] },
      { series: { 'holdfast_database_up{instance="a"}': '1x2 0x3 1x10' }, atMinute: 8, fires: [] },
    ],
  },
  {
    name: 'HoldfastCollectorDown',
    expr: 'holdfast_collector_up == 0 and ignoring (collector) holdfast_database_up == 1',
    for: '15m',
    severity: 'ticket',
    summary: 'What {{ $labels.collector }} promises of {{ $labels.instance }} is not measured.',
    description: `Alerts about it stay quiet until it is: the comments of /metrics say why; a missing right is granted as in docs/guide/watch.md.`,
    cases: [
      {
        series: {
          'holdfast_collector_up{instance="a",collector="jobs"}': '0x30',
          'holdfast_collector_up{instance="a",collector="ledger"}': '1x30',
          'holdfast_database_up{instance="a"}': '1x30',
        },
        atMinute: 20,
        fires: [{ instance: 'a', collector: 'jobs' }],
      },
      {
        series: {
          'holdfast_collector_up{instance="a",collector="jobs"}': '0x30',
          'holdfast_database_up{instance="a"}': '0x30',
        },
        atMinute: 20,
        fires: [],
      },
    ],
  },
  {
    name: 'HoldfastLedgerGone',
    expr: 'holdfast_ledger_up == 0 and holdfast_database_up == 1',
    for: '30m',
    severity: 'ticket',
    summary: 'The database behind {{ $labels.instance }} has no ledger that can be read.',
    description: `Nothing was applied to it by Holdfast, or its schema was dropped or is not granted. ${GUIDE}`,
    cases: [
      {
        series: { 'holdfast_ledger_up{instance="a"}': '0x60', 'holdfast_database_up{instance="a"}': '1x60' },
        atMinute: 40,
        fires: [{ instance: 'a' }],
      },
      {
        series: { 'holdfast_ledger_up{instance="a"}': '1x60', 'holdfast_database_up{instance="a"}': '1x60' },
        atMinute: 40,
        fires: [],
      },
    ],
  },
  {
    name: 'HoldfastPlanUnfinished',
    expr: 'holdfast_plan_unfinished == 1',
    for: '1h',
    severity: 'ticket',
    summary: 'A change of the database behind {{ $labels.instance }} was begun and not finished.',
    description: 'holdfast apply finishes it, holdfast rollback undoes it; holdfast status shows it.',
    cases: [
      {
        series: { 'holdfast_plan_unfinished{instance="a"}': '1x90' },
        atMinute: 70,
        fires: [{ instance: 'a' }],
      },
      { series: { 'holdfast_plan_unfinished{instance="a"}': '1x50 0x40' }, atMinute: 70, fires: [] },
    ],
  },
  {
    name: 'HoldfastProofBroken',
    expr: 'holdfast_proof_verdict{verdict="broken"} == 1',
    for: '5m',
    severity: 'ticket',
    summary: 'Proof {{ $labels.proof }} found a promise of {{ $labels.instance }} broken.',
    description: 'holdfast prove --last shows what was seen, and holdfast prove whether it still is.',
    cases: [
      {
        series: {
          'holdfast_proof_verdict{instance="a",proof="isolation",verdict="broken"}': '0x5 1x20',
          'holdfast_proof_verdict{instance="a",proof="isolation",verdict="held"}': '1x5 0x20',
        },
        atMinute: 15,
        fires: [{ instance: 'a', proof: 'isolation', verdict: 'broken' }],
      },
      {
        series: {
          'holdfast_proof_verdict{instance="a",proof="isolation",verdict="broken"}': '0x20',
          'holdfast_proof_verdict{instance="a",proof="isolation",verdict="held"}': '1x20',
        },
        atMinute: 15,
        fires: [],
      },
    ],
  },
];

const aboutJobs: readonly AlertRule[] = [
  {
    name: 'HoldfastKeeperMissing',
    expr: 'holdfast_keeper_leader == 0',
    for: '5m',
    severity: 'page',
    summary: 'No keeper looks after the database behind {{ $labels.instance }}.',
    description: 'Start holdfast keep: until then no partition is made and nothing is refreshed or archived.',
    cases: [
      {
        series: { 'holdfast_keeper_leader{instance="a"}': '1x2 0x10' },
        atMinute: 9,
        fires: [{ instance: 'a' }],
      },
      { series: { 'holdfast_keeper_leader{instance="a"}': '1x2 0x2 1x10' }, atMinute: 9, fires: [] },
    ],
  },
  {
    name: 'HoldfastJobLate',
    expr: `holdfast_job_late_seconds > ${lateAfterSeconds}`,
    for: '15m',
    severity: 'ticket',
    summary: 'Job {{ $labels.keeper_job }} of {{ $labels.instance }} is due and was not done.',
    description: 'holdfast status shows its last error and who leads; holdfast run does it at once.',
    cases: [
      {
        series: {
          'holdfast_job_late_seconds{instance="a",keeper_job="partitions"}': '0x5 0+60x90',
          'holdfast_job_late_seconds{instance="a",keeper_job="refresh"}': '0x95',
        },
        atMinute: 90,
        fires: [{ instance: 'a', keeper_job: 'partitions' }],
      },
      {
        series: { 'holdfast_job_late_seconds{instance="a",keeper_job="partitions"}': '0+60x65 0x30' },
        atMinute: 85,
        fires: [],
      },
    ],
  },
  {
    name: 'HoldfastJobFailing',
    expr: 'holdfast_job_consecutive_failures > 0',
    for: '30m',
    severity: 'ticket',
    summary: 'Job {{ $labels.keeper_job }} of {{ $labels.instance }} has failed and not succeeded since.',
    description: 'holdfast status shows its last error.',
    cases: [
      {
        series: { 'holdfast_job_consecutive_failures{instance="a",keeper_job="refresh"}': '0x5 1+0x50' },
        atMinute: 40,
        fires: [{ instance: 'a', keeper_job: 'refresh' }],
      },
      {
        series: { 'holdfast_job_consecutive_failures{instance="a",keeper_job="refresh"}': '0x5 2x10 0x40' },
        atMinute: 40,
        fires: [],
      },
    ],
  },
  {
    name: 'HoldfastJobUnscheduled',
    expr: 'holdfast_job_scheduled == 0',
    for: '1h',
    severity: 'ticket',
    summary: 'No keeper of {{ $labels.instance }} knows job {{ $labels.keeper_job }}.',
    description: 'The keeper that leads runs another definition than the one measured by: start it anew.',
    cases: [
      {
        series: { 'holdfast_job_scheduled{instance="a",keeper_job="refresh"}': '0x90' },
        atMinute: 70,
        fires: [{ instance: 'a', keeper_job: 'refresh' }],
      },
      {
        series: { 'holdfast_job_scheduled{instance="a",keeper_job="refresh"}': '0x30 1x60' },
        atMinute: 70,
        fires: [],
      },
    ],
  },
];
