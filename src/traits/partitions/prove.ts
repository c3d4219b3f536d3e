// What the promise says about time: how far ahead rows find a partition.
import type { Place, Promised } from '../../define/promise.ts';
import { leastRoomMs, shift, startOf } from './period.ts';
import { type Existing, existingPartitions } from './reading.ts';
import { aheadOf, type Asked } from './settle.ts';

// Bounds that are open: the first and the last instant JavaScript has.
const OPEN_MS = 8.64e15;

/**
 * The periods ahead, as the job leaves them. Room that is never used up: a month, or where the periods ahead are shorter
 * than that together, all of them but a day.
 */
export function promised({ of, by, options }: Asked): Promised {
  const { every } = options;
  const ahead = aheadOf(options);
  return {
    horizons: [
      {
        of,
        column: by,
        job: options.job ?? 'partitions',
        places: async ({ query }) =>
          (await existingPartitions(query, of))
            .filter((partition) => !partition.isDefault && partition.leaving !== true)
            .map(place),
        reachesTo: (now) => new Date(shift(every, startOf(every, now.getTime()), ahead + 1)),
        leastMs: leastRoomMs(every, ahead),
      },
    ],
  };
}

function place({ schema, name, fromMs, toMs }: Existing): Place {
  return {
    name: `${schema}.${name}`,
    from: new Date(Math.max(fromMs, -OPEN_MS)),
    to: new Date(Math.min(toMs, OPEN_MS)),
  };
}
