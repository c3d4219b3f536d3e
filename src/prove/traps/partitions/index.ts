// HT5xx: partitions that are missing, lie beside each other, or are made in ways that fail later.
import type { TrapCheck } from '../check.ts';
import { defaultPartition, partitionGap, partitionsRunOut } from './ahead.ts';
import { boundsOfTimeZone, detachPending, namedUnlikeBound } from './bounds.ts';
import { idNotUnique, nullablePartitionKey, partitionedTwin, partitionTriggerOff } from './keys.ts';
import { madeByName, madeForNowOnly, madeInSessionZone, madeUnderLock } from './made-by-functions.ts';

export const partitions: readonly TrapCheck[] = [
  partitionsRunOut,
  defaultPartition,
  partitionGap,
  boundsOfTimeZone,
  namedUnlikeBound,
  detachPending,
  madeInSessionZone,
  madeForNowOnly,
  madeUnderLock,
  madeByName,
  partitionedTwin,
  partitionTriggerOff,
  idNotUnique,
  nullablePartitionKey,
];
