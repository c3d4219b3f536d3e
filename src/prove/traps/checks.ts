// Every check, in the order of the codes. A room is a folder that gives its list.
import type { TrapCheck } from './check.ts';
import { functions } from './functions/index.ts';
import { indexes } from './indexes/index.ts';
import { isolation } from './isolation/index.ts';
import { jobs } from './jobs/index.ts';
import { keys } from './keys/index.ts';
import { other } from './other/index.ts';
import { partitions } from './partitions/index.ts';
import { values } from './values/index.ts';
import { views } from './views/index.ts';

export const CHECKS: readonly TrapCheck[] = [
  ...isolation,
  ...views,
  ...functions,
  ...jobs,
  ...partitions,
  ...keys,
  ...indexes,
  ...values,
  ...other,
];
