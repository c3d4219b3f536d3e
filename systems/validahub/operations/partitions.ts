// The partitions' upkeep, for whoever operates ValidaHub: it needs the keeper's login, not the application's.
import type { ClientBase } from 'pg';
import type { Definition } from 'holdfast/define';
import { jobStatus, runJob, systemClock, type RunReport } from 'holdfast/keep';
import { JOB } from '../jobs.ts';

/** How far ahead the rows of one table find a partition. */
export interface PartitionHealth {
  readonly table: string;
  /** Where the partitions end, the first gap included; null where there is none for now. */
  readonly reachesTo: Date | null;
  /** Where they would end if the job had run now. */
  readonly shouldReachTo: Date;
}

/** How the partitions of a ValidaHub stand. */
export interface PartitionReport {
  readonly tables: readonly PartitionHealth[];
  /** When `create-partitions` last succeeded; null: never, as far as the ledger tells. */
  readonly maintainedAt: Date | null;
  /** What somebody should look at; empty when all is well. */
  readonly warnings: readonly string[];
}

/** After how many days without maintenance there is a warning. */
export const MAINTENANCE_DAYS = 2;

const DAY_MS = 86_400_000;

/**
 * Makes the partitions that should exist at `now`, as the keeper's job does, and whatever else hangs on that job.
 * @param of.url logs in as the keeper does
 * @param of.now default: the machine's time
 * @throws HoldfastError HF_KEEPER_BUSY, HF_LEASE_LOST as runJob of holdfast/keep
 */
export async function maintainPartitions(
  definition: Definition,
  of: { readonly url: string; readonly now?: Date },
): Promise<RunReport> {
  const { url, now } = of;
  const clock = now === undefined ? systemClock : { ...systemClock, now: () => now };
  return runJob(definition, url, JOB.partitions, { clock });
}

/**
 * Says whether every partitioned table has room as far ahead as the definition promises, and when that was last seen to.
 * @param client may read the catalogue and the ledger
 */
export async function checkPartitionHealth(
  definition: Definition,
  client: Pick<ClientBase, 'query'>,
  now: Date,
): Promise<PartitionReport> {
  const tables = await health(definition, client, now);
  const jobs = await jobStatus(definition, client, { now });
  const maintainedAt = jobs.find((one) => one.job === JOB.partitions)?.lastSuccessAt ?? null;
  const short = tables.filter(
    ({ reachesTo, shouldReachTo }) => reachesTo === null || reachesTo < shouldReachTo,
  );
  const old = maintainedAt === null || now.getTime() - maintainedAt.getTime() > MAINTENANCE_DAYS * DAY_MS;
  return {
    tables,
    maintainedAt,
    warnings: [
      ...short.map(
        ({ table, reachesTo, shouldReachTo }) =>
          `table ${table}: rows find a partition up to ${reachesTo === null ? 'nowhere' : day(reachesTo)}, and should up to ${day(shouldReachTo)}.`,
      ),
      ...(old
        ? [`job ${JOB.partitions}: last success ${maintainedAt === null ? 'never' : day(maintainedAt)}.`]
        : []),
    ],
  };
}

async function health(
  definition: Definition,
  client: Pick<ClientBase, 'query'>,
  now: Date,
): Promise<readonly PartitionHealth[]> {
  const { model } = definition;
  const query = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await client.query(sql, [...values])).rows as readonly Row[];
  const horizons = definition.traits.flatMap((trait) => trait.promises?.(model).horizons ?? []);
  return Promise.all(
    horizons.map(async ({ of, places, reachesTo }) => ({
      table: `${of.schema}.${of.name}`,
      reachesTo: reach(await places({ model, query, now, pieces: [] }), now),
      shouldReachTo: reachesTo(now),
    })),
  );
}

/** The end of the unbroken run of ranges that `now` lies in. */
function reach(places: readonly { readonly from: Date; readonly to: Date }[], now: Date): Date | null {
  const sorted = [...places].sort((a, b) => a.from.getTime() - b.from.getTime());
  let end = sorted.find(({ from, to }) => from <= now && now < to)?.to ?? null;
  for (const { from, to } of sorted) if (end !== null && from.getTime() === end.getTime()) end = to;
  return end;
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}
