// HT8xx: types, sequences and states.
import type { TrapCheck } from '../check.ts';
import { narrowIds, numberPerParent, sequenceNearEnd } from './sequences.ts';
import { changedAtStands, madeAtMissing, timeWithoutZone } from './times.ts';
import { hashUnchecked, namesDoNotFit, versionAsText, wholeMilliseconds } from './words.ts';

export const values: readonly TrapCheck[] = [
  sequenceNearEnd,
  narrowIds,
  numberPerParent,
  timeWithoutZone,
  madeAtMissing,
  changedAtStands,
  namesDoNotFit,
  versionAsText,
  wholeMilliseconds,
  hashUnchecked,
];
