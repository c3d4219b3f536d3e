// What ValidaHub is measured on: 20 tenants of which one holds half of everything, 90 days of jobs with a thousand
// corrections each. Row n is the same at every size, so that three million are one million and two more.
import { createHash } from 'node:crypto';
import type { Chance, CopyValue, VolumeContext } from 'holdfast/define';
import { volume, type VolumeRowsOptions } from 'holdfast/traits';
import {
  addVersion,
  createRuleSet,
  createTenant,
  openHub,
  publishVersion,
  validateVersion,
  type Sessions,
} from './operations/index.ts';
import type { Rule } from './rules/index.ts';
import { CHANNELS } from './tables/columns.ts';
import * as tables from './tables/index.ts';

const TENANTS = 20;
const DAYS = 90;
const CORRECTIONS_A_JOB = 1_000;
const VIOLATIONS_A_JOB = 100;
const VERSIONS_A_SET = 10;
const RULES = 25;
const FIELDS = ['title', 'brand', 'price_brl', 'gtin'] as const;
const DAY_MS = 86_400_000;
const by = 'p_bench';

/** What the rows refer to. */
export interface Shops {
  /** The first holds half of everything. */
  readonly tenants: readonly string[];
  /** Each tenant's rule set of channel `custom` and its current version. */
  readonly sets: readonly { readonly setId: string; readonly versionId: string }[];
  /** The version's rules, plan and checksum as they are stored, for versions that are copies of it. */
  readonly stored: { readonly rules: string; readonly compiled: string; readonly checksum: string };
  readonly nowMs: number;
}

/** Rows by kind at one million corrections; three times as many are the load that the specification names. */
export const MILLION = {
  sets: 60,
  versions: 600,
  jobs: 1_000,
  corrections: 1_000_000,
  violations: 100_000,
  patterns: 100_000,
  suggestions: 133_000,
} as const;

/** Whose the n-th thing is: every other one is the large tenant's. */
export function ownerOf(number: number): number {
  return number % 2 === 0 ? 0 : 1 + (Math.floor(number / 2) % (TENANTS - 1));
}

/** An id for the n-th row of a kind, in the form of a uuid. */
function idOf(kind: number, number: number): string {
  const digits = number.toString(16).padStart(12, '0');
  return `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${digits}`;
}

const KIND = { set: 1, version: 2, job: 3, correction: 4, violation: 5, suggestion: 6 } as const;

/** When the n-th job ran: any number of them are spread evenly over the days, in no order on disk. */
function jobTime(number: number, nowMs: number): number {
  const part = (number * 0.618_033_988_749_895) % 1;
  return nowMs - 60_000 - Math.floor(part * (DAYS - 0.1) * DAY_MS);
}

function sha(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const json = JSON.stringify;

const sets: VolumeRowsOptions<Shops> = {
  into: tables.ruleSets,
  columns: ['tenant_id', 'id', 'channel', 'name', 'status', 'current_version', 'created_by', 'updated_by'],
  row: (n, _chance, { tenants }) => {
    const channel = CHANNELS[Math.floor(n / TENANTS) % (CHANNELS.length - 1)] ?? 'custom';
    return [tenants[n % TENANTS] ?? '', idOf(KIND.set, n), channel, `Set ${n}`, 'published', '1.0.0', by, by];
  },
};

const versions: VolumeRowsOptions<Shops> = {
  into: tables.ruleVersions,
  columns: [
    'tenant_id',
    'id',
    'rule_set_id',
    'major',
    'minor',
    'patch',
    'version',
    'status',
    'is_current',
    'is_latest',
    'rules',
    'rule_count',
    'compiled',
    'checksum',
    'published_at',
    'activated_at',
    'published_by',
    'created_by',
  ],
  row: (n, _chance, { tenants, stored, nowMs }) => {
    const set = Math.floor(n / VERSIONS_A_SET);
    const number = n % VERSIONS_A_SET;
    const current = number === VERSIONS_A_SET - 1;
    const [major, minor] = current ? [1, 0] : [0, number + 1];
    const at = new Date(nowMs - (VERSIONS_A_SET - number) * DAY_MS);
    return [
      tenants[set % TENANTS] ?? '',
      idOf(KIND.version, n),
      idOf(KIND.set, set),
      major,
      minor,
      0,
      `${major}.${minor}.0`,
      'published',
      current,
      current,
      stored.rules,
      RULES,
      stored.compiled,
      stored.checksum,
      at,
      current ? at : null,
      by,
      by,
    ];
  },
};

const jobs: VolumeRowsOptions<Shops> = {
  into: tables.jobs,
  columns: [
    'tenant_id',
    'id',
    'channel',
    'rule_set_id',
    'rule_version_id',
    'file_name',
    'file_sha256',
    'status',
    'total_rows',
    'created_by',
    'created_at',
    'started_at',
    'finished_at',
  ],
  row: (n, _chance, world) => {
    const owner = ownerOf(n);
    const { setId, versionId } = setOf(world, owner);
    const at = new Date(jobTime(n, world.nowMs));
    const sum = sha(`file ${n}`).toString('hex');
    const tenant = world.tenants[owner] ?? '';
    return [
      tenant,
      jobId(n),
      'custom',
      setId,
      versionId,
      `${n}.csv`,
      sum,
      'completed',
      10_000,
      by,
      at,
      at,
      at,
    ];
  },
};

/** The id of the n-th job. */
export function jobId(number: number): string {
  return idOf(KIND.job, number);
}

function setOf({ sets: of }: Shops, owner: number): Shops['sets'][number] {
  const found = of[owner];
  if (found === undefined) throw new RangeError(`there is no tenant ${owner}`);
  return found;
}

const corrections: VolumeRowsOptions<Shops> = {
  into: tables.correctionLogs,
  columns: [
    'tenant_id',
    'id',
    'created_at',
    'job_id',
    'rule_set_id',
    'rule_version_id',
    'correction_batch_id',
    'record_number',
    'field_name',
    'rule_id',
    'original_value',
    'corrected_value',
    'correction_method',
    'confidence',
    'correction_metadata',
    'estimated_impact',
    'created_by',
    'status',
    'accepted',
    'decided_at',
    'applied_at',
    'approved_by',
    'rejected_by',
  ],
  row: (n, chance, world) => {
    const job = Math.floor(n / CORRECTIONS_A_JOB);
    const owner = ownerOf(job);
    const { setId, versionId } = setOf(world, owner);
    const record = n % CORRECTIONS_A_JOB;
    const at = new Date(jobTime(job, world.nowMs) - record * 20);
    const rule = Math.floor(chance() * RULES);
    // Few values are corrected again and again, most are rare.
    const value = Math.floor(20_000 * chance() ** 3);
    const method = chance();
    return [
      world.tenants[owner] ?? '',
      idOf(KIND.correction, n),
      at,
      jobId(job),
      setId,
      versionId,
      jobId(job),
      record + 1,
      FIELDS[rule % FIELDS.length] ?? 'title',
      `rule_${rule}`,
      json(`value number ${value}`),
      json(`Value number ${value}`),
      method < 0.5 ? 'automatic' : method < 0.9 ? 'rule_based' : 'manual',
      (0.5 + chance() / 2).toFixed(4),
      chance() < 0.2 ? json({ error_severity: 'warning', processing_time_ms: value % 1_200 }) : '{}',
      chance() < 0.05 ? json({ revenue_impact: value / 100 }) : '{}',
      `p_${value % 40}`,
      ...decision(chance, at),
    ];
  },
};

/** Status, accepted, decided and applied time, who approved and who rejected. */
function decision(chance: Chance, at: Date): readonly CopyValue[] {
  const drawn = chance();
  if (drawn < 0.2) return ['pending', null, null, null, null, null];
  if (drawn < 0.3) return ['rejected', false, at, null, null, by];
  if (drawn < 0.5) return ['approved', true, at, null, by, null];
  return ['applied', true, at, at, by, null];
}

const violations: VolumeRowsOptions<Shops> = {
  into: tables.jobViolations,
  columns: [
    'tenant_id',
    'id',
    'job_id',
    'record_number',
    'field_name',
    'rule_id',
    'severity',
    'original_value',
    'message',
    'created_at',
  ],
  row: (n, chance, { tenants, nowMs }) => {
    const job = Math.floor(n / VIOLATIONS_A_JOB);
    const rule = Math.floor(chance() * RULES);
    return [
      tenants[ownerOf(job)] ?? '',
      idOf(KIND.violation, n),
      jobId(job),
      1 + (n % VIOLATIONS_A_JOB),
      FIELDS[rule % FIELDS.length] ?? 'title',
      `rule_${rule}`,
      chance() < 0.3 ? 'warning' : 'error',
      json(`value number ${n}`),
      'It is too long.',
      new Date(jobTime(job, nowMs)),
    ];
  },
};

/** Three corrections of one value are rivals; the n-th pattern's key, as the rollup would compute it. */
function patternOf(n: number) {
  const group = Math.floor(n / 3);
  const rule = group % RULES;
  const original = json(`original value number ${group}`);
  const corrected = json(`Corrected value number ${n}`);
  return {
    owner: ownerOf(group),
    field: rule % 2 === 0 ? 'brand' : 'title',
    rule: `rule_${rule}`,
    original,
    corrected,
  };
}

const patterns: VolumeRowsOptions<Shops> = {
  into: tables.correctionPatterns,
  columns: [
    'tenant_id',
    'field_name',
    'rule_id',
    'original_hash',
    'corrected_hash',
    'original_value',
    'corrected_value',
    'channel',
    'proposed',
    'accepted',
    'rejected',
  ],
  row: (n, chance, { tenants }) => {
    const { owner, field, rule, original, corrected } = patternOf(n);
    // Acceptances fall off as 1/x; the second and third of a value's corrections are mostly rejected.
    const accepted = n % 3 === 0 ? Math.floor(1 / (0.02 + chance())) : Math.floor(chance() * 1.3);
    const rejected = Math.floor(chance() * chance() * 6) + (n % 3 === 0 ? 0 : 1);
    const tenant = tenants[owner] ?? '';
    const proposed = accepted + rejected;
    return [
      tenant,
      field,
      rule,
      sha(original),
      sha(corrected),
      original,
      corrected,
      'custom',
      proposed,
      accepted,
      rejected,
    ];
  },
};

const STATUSES = ['generated', 'rejected', 'accepted', 'expired'] as const;

const suggestions: VolumeRowsOptions<Shops> = {
  into: tables.suggestions,
  columns: [
    'tenant_id',
    'id',
    'suggestion_type',
    'field_name',
    'rule_id',
    'channel',
    'title',
    'source',
    'model_name',
    'model_version',
    'evidence_hash',
    'confidence_score',
    'status',
    'expires_at',
    'accepted_at',
    'rejected_at',
    'created_at',
  ],
  // Two of three patterns' best corrections were suggested before; the miner has to pass over them.
  row: (n, chance, { tenants, nowMs }) => {
    const { owner, field, rule, original, corrected } = patternOf(3 * Math.floor(n * 1.5));
    const evidence = createHash('sha256').update(sha(original)).update(sha(corrected)).digest('hex');
    const status = STATUSES[n % STATUSES.length] ?? 'generated';
    const at = new Date(nowMs - chance() * 170 * DAY_MS);
    return [
      tenants[owner] ?? '',
      idOf(KIND.suggestion, n),
      'new_rule',
      field,
      rule,
      'custom',
      `Write it so, number ${n}`,
      'historical_pattern',
      'decided_patterns',
      '1',
      evidence,
      chance().toFixed(4),
      status,
      new Date(nowMs + 20 * DAY_MS),
      status === 'accepted' ? at : null,
      status === 'rejected' ? at : null,
      at,
    ];
  },
};

/** The volume all of ValidaHub's budgets share. */
export const online = volume<Shops>('90 days online', {
  historyDays: DAYS + 1,
  begin,
  rows: { sets, versions, jobs, corrections, violations, patterns, suggestions },
  grown: async ({ query }) => {
    await query('SELECT validahub.rule_effectiveness_daily_rebuild()');
    // What was written at a smaller size waits to be summed up; whoever mines first would pay for all of it.
    await query('SELECT FROM validahub.correction_patterns_settle()');
    await query('REFRESH MATERIALIZED VIEW validahub.mv_rule_effectiveness');
  },
});

const TEMPLATE_SQL = `
  SELECT rules::text AS rules, compiled::text AS compiled, checksum FROM validahub.rule_versions WHERE id = $1`;

async function begin({ app, query, now }: VolumeContext): Promise<Shops> {
  const hub = openHub(app as Sessions);
  const tenants = Array.from({ length: TENANTS }, (_, number) => `t_shop_${number}`);
  const made: Shops['sets'][number][] = [];
  for (const tenant of tenants) {
    await createTenant(hub, { id: tenant, name: tenant, by });
    const set = await createRuleSet(hub, { tenant, channel: 'custom', name: 'Main', by });
    const choice = { tenant, setId: set.id, version: '1.0.0', expectedVersion: set.version, by };
    const { id: versionId } = await addVersion(hub, { ...choice, rules: rulesOf() });
    await validateVersion(hub, { tenant, versionId, by });
    await publishVersion(hub, { tenant, versionId, by });
    made.push({ setId: set.id, versionId });
  }
  const [stored] = await query<Shops['stored']>(TEMPLATE_SQL, [made[0]?.versionId]);
  if (stored === undefined) throw new Error('the first version was not stored');
  // The rollup of patterns begins before rows are put past it, which it would refuse.
  await query('SELECT FROM validahub.correction_patterns_settle()');
  return { tenants, sets: made, stored, nowMs: now.getTime() };
}

function rulesOf(): readonly Rule[] {
  return Array.from({ length: RULES }, (_, index) => ({
    id: `rule_${index}`,
    type: 'length',
    field: index % 2 === 0 ? 'brand' : 'title',
    message: 'It is too long.',
    action: 'suggest',
    params: { max: 60 + index },
    fix: [{ step: 'truncate_words', max: 60 + index }],
  }));
}
