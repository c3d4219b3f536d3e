// The shadow of a version: it runs beside the one in force, and what would differ is kept until somebody ends it.
import { and, desc, eq, gte, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Catalogue } from '../catalogue/open.ts';
import type { CompiledPlan } from '../rules/rule.ts';
import { runRules, type RuleBatch } from '../rules/run.ts';
import { compareBatches, NOTHING_COMPARED, together, type SideBySide } from '../rules/side-by-side.ts';
import { compareVersions, parseVersion } from '../semver.ts';
import { ruleVersions } from '../tables/index.ts';
import { failure } from './failure.ts';
import { asTenant, record, type Hub, type Tx } from './hub.ts';
import { actorInput, idInput, tenantInput, textInput, wordInput } from './input.ts';
import { forgetRules } from './lookup.ts';
import { makeCurrent, setOf } from './publish.ts';
import { lockSet, lockVersion, touchSet, type StoredVersion, type VersionChoice } from './versions.ts';

/** A version that runs in the shadow of its set's current one. */
export interface Shadow {
  readonly versionId: string;
  readonly plan: CompiledPlan;
}

/** The highest version of a set whose shadow period runs today, if there is one. */
export async function shadowOf(
  hub: Hub,
  of: { readonly tenantId: string; readonly ruleSetId: string },
): Promise<Shadow | undefined> {
  const today = hub.now().toISOString().slice(0, 10);
  const [row] = await hub.sessions
    .session({ tenant: of.tenantId })
    .db.select({ versionId: ruleVersions.id, plan: ruleVersions.compiled })
    .from(ruleVersions)
    .where(
      and(
        eq(ruleVersions.tenantId, of.tenantId),
        eq(ruleVersions.ruleSetId, of.ruleSetId),
        eq(ruleVersions.status, 'published'),
        eq(ruleVersions.isCurrent, false),
        isNull(ruleVersions.activatedAt),
        isNotNull(ruleVersions.shadowEndDate),
        gte(ruleVersions.shadowEndDate, today),
      ),
    )
    .orderBy(desc(ruleVersions.major), desc(ruleVersions.minor), desc(ruleVersions.patch))
    .limit(1);
  return row === undefined ? undefined : { versionId: row.versionId, plan: row.plan as CompiledPlan };
}

/** Runs a shadow over the same rows as a job and gathers what would differ. It never fails a job: it gives up instead. */
export class ShadowRun {
  readonly #batches: AsyncGenerator<RuleBatch, void, undefined>;
  readonly #fields: readonly string[];
  #seen: SideBySide = NOTHING_COMPARED;
  #failed: string | null = null;
  readonly shadow: Shadow;

  constructor(shadow: Shadow, catalogue: Catalogue) {
    this.shadow = shadow;
    this.#fields = catalogue.columns.map((column) => column.field);
    this.#batches = runRules(shadow.plan, catalogue.rows(), { columns: catalogue.columns });
  }

  /** Compares the next batch with what the current version made of the same rows. */
  async next(current: RuleBatch): Promise<void> {
    if (this.#failed !== null) return;
    try {
      const { value } = await this.#batches.next();
      if (value !== undefined)
        this.#seen = together(this.#seen, compareBatches(current, value, this.#fields));
    } catch (error) {
      this.#failed = error instanceof Error ? error.message : String(error);
    }
  }

  /** Lets go of the file. */
  async end(): Promise<void> {
    await this.#batches.return().catch(() => undefined);
  }

  /** What this job adds to the version's `shadow_metrics`. */
  get outcome(): { readonly seen: SideBySide; readonly failed: string | null } {
    return { seen: { ...this.#seen, jobs: 1 }, failed: this.#failed };
  }
}

/** Adds what a job's shadow run saw to the version, in the transaction that ends the job. Jobs at once take turns. */
export async function keepShadow(
  tx: Tx,
  of: { readonly tenantId: string; readonly jobId: string; readonly run: ShadowRun; readonly now: Date },
): Promise<void> {
  const { tenantId, run, now } = of;
  const version = await lockVersion(tx, tenantId, run.shadow.versionId);
  if (version.status !== 'published' || version.activatedAt !== null) return;
  const { seen, failed } = run.outcome;
  const before = { ...NOTHING_COMPARED, ...(version.shadowMetrics as Partial<SideBySide>) };
  const metrics = {
    ...version.shadowMetrics,
    ...together(before, seen),
    lastRunAt: now.toISOString(),
    ...(failed === null ? {} : { lastFailure: { jobId: of.jobId, error: failed.slice(0, 500) } }),
  };
  await tx
    .update(ruleVersions)
    .set({ shadowMetrics: metrics })
    .where(and(eq(ruleVersions.tenantId, tenantId), eq(ruleVersions.id, version.id)));
}

/** What ending a shadow did. */
export interface ShadowEnd {
  readonly version: string;
  readonly current: boolean;
  /** What was seen while it ran. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/**
 * Ends a version's shadow: it becomes current, or is withdrawn for good. Before the period is over it becomes current only
 * with `force` and a reason; withdrawing always takes a reason.
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_VERSION_STATUS when it is in no shadow,
 *   HF_VALIDAHUB_SHADOW_RUNNING, HF_VALIDAHUB_VERSION_NOT_HIGHER when a higher version became current meanwhile
 */
export async function endShadow(
  hub: Hub,
  input: VersionChoice & {
    readonly action: 'activate' | 'withdraw';
    readonly force?: boolean;
    readonly reason?: string;
  },
): Promise<ShadowEnd> {
  const tenantId = tenantInput(input.tenant);
  const versionId = idInput('version', input.versionId);
  const actor = actorInput(input.by);
  const activate = wordInput('action', input.action, ['activate', 'withdraw']) === 'activate';
  const forced = input.force === true;
  const given = !activate || forced || input.reason !== undefined;
  const reason = given ? textInput('reason', input.reason ?? '', 500) : null;
  const done = await asTenant(hub, tenantId, async (tx) => {
    const setId = await setOf(tx, tenantId, versionId);
    const set = await lockSet(tx, tenantId, setId);
    const version = await lockVersion(tx, tenantId, versionId);
    const end = endOf(version);
    if (activate) refuseEarly({ version, end, current: set.currentVersion }, { now: hub.now(), forced });
    const of = { version, end, now: hub.now(), actor, reason };
    await (activate ? becomeCurrent(tx, of) : withdraw(tx, of));
    await touchSet(
      tx,
      { tenantId, setId, actor, version: set.version },
      activate ? { currentVersion: version.version } : {},
    );
    await record(tx, {
      tenantId,
      eventType: 'rule_version.shadow_ended',
      actor,
      entity: 'rule_version',
      entityId: versionId,
      details: {
        version: version.version,
        action: input.action,
        ...(reason === null ? {} : { reason }),
        ...(forced ? { forced } : {}),
      },
    });
    return { channel: set.channel, version };
  });
  forgetRules(hub, tenantId, done.channel);
  const { version } = done;
  return { version: version.version, current: activate, metrics: version.shadowMetrics };
}

/** The last day of a version's shadow. */
function endOf(version: StoredVersion): string {
  const { shadowEndDate, status, isCurrent, activatedAt } = version;
  if (shadowEndDate !== null && status === 'published' && !isCurrent && activatedAt === null)
    return shadowEndDate;
  throw failure('VERSION_STATUS', {
    subject: `rule version ${version.version}`,
    what: `it is ${isCurrent ? 'current' : status} and runs in no shadow.`,
    fix: 'Only a published version that has not been current since can end its shadow.',
  });
}

function refuseEarly(
  of: { readonly version: StoredVersion; readonly end: string; readonly current: string | null },
  at: { readonly now: Date; readonly forced: boolean },
): void {
  const subject = `rule version ${of.version.version}`;
  if (!at.forced && at.now.toISOString().slice(0, 10) < of.end) {
    throw failure('SHADOW_RUNNING', {
      subject,
      what: `its shadow runs until ${of.end}.`,
      fix: 'Wait until then, or pass force with a reason.',
    });
  }
  const own = parseVersion(of.version.version);
  const current = of.current === null ? null : parseVersion(of.current);
  if (own === null || current === null || compareVersions(own, current) > 0) return;
  throw failure('VERSION_NOT_HIGHER', {
    subject,
    what: `${current.text} became current meanwhile and is higher.`,
    fix: 'Withdraw it, or go back to it with rollbackTo.',
  });
}

interface Ending {
  readonly version: StoredVersion;
  readonly end: string;
  readonly now: Date;
  readonly actor: string;
  readonly reason: string | null;
}

async function becomeCurrent(tx: Tx, { version, end, now }: Ending): Promise<void> {
  await makeCurrent(tx, { version, now });
  await tx
    .update(ruleVersions)
    .set({ shadowEndDate: endedOn(version, end, now) })
    .where(keyOf(version));
}

async function withdraw(tx: Tx, { version, end, now, actor, reason }: Ending): Promise<void> {
  await tx
    .update(ruleVersions)
    .set({
      status: 'deprecated',
      deprecatedAt: now,
      deprecatedBy: actor,
      deprecationReason: reason,
      shadowEndDate: endedOn(version, end, now),
    })
    .where(keyOf(version));
}

/** The day it really ended, where that is within the period. */
function endedOn(version: StoredVersion, end: string, now: Date) {
  const today = now.toISOString().slice(0, 10);
  const start = version.shadowStartDate ?? today;
  const earlier = today < end ? today : end;
  return sql`greatest(${start}::date, ${earlier}::date)`;
}

function keyOf(version: StoredVersion) {
  return and(eq(ruleVersions.tenantId, version.tenantId), eq(ruleVersions.id, version.id));
}
