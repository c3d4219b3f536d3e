// HT901: a queue nobody can hold a message of. HT902: a message queued twice. HT905: a time to live that ends nowhere.
import type { Draft, TrapCheck } from '../check.ts';
import { constraints } from '../facts/constraints.ts';
import { indexes } from '../facts/indexes.ts';
import { partSubject, relationSubject } from '../facts/naming.ts';
import { type Relation, relations } from '../facts/relations.ts';

const QUEUE = /(?:^|_)(?:queue|outbox|inbox|jobs)(?:$|_items?$|_messages?$)|^(?:queue|outbox)_/;
const STATE = /^(?:status|state|processed_at|done_at|completed_at|delivered_at)$/;
const HOLDER = /lock|lease|claim|worker|holder|reserved|picked|visible|taken|started_by|run_by|heartbeat/;
const WAITS = /attempt|retr|scheduled|run_at|available|next_/;

function isQueue({ name, columns, parent }: Relation): boolean {
  const has = (pattern: RegExp): boolean => columns.some((column) => pattern.test(column.name));
  return parent === null && QUEUE.test(name) && has(STATE) && has(WAITS);
}

export const queueWithoutLease: TrapCheck = {
  code: 'HT901',
  name: 'queue-without-lease',
  title: 'A queue whose rows nobody can hold',
  severity: 'info',
  traps: ['B4-29'],
  find: async ({ facts }) =>
    (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      if (!isQueue(table) || table.columns.some(({ name }) => HOLDER.test(name))) return [];
      return [
        {
          subject: relationSubject(table),
          what: 'It is worked as a queue and has no column for who works on a row and until when.',
          effect:
            'Workers that poll by state take the same row: 8 of them processed 107 of 480 rows more than once. A worker that dies leaves its row as if it were still worked on, or never was.',
          mend: [],
          advice:
            'Claim with UPDATE … WHERE id IN (SELECT … FOR UPDATE SKIP LOCKED) … RETURNING, write the holder and a lease into the row, count attempts, and move what fails for good aside.',
        },
      ];
    }),
  page: {
    what: 'A table `message_queue` with a state and a number of attempts.',
    effect:
      'Nothing says who works on a message. Plain polling by 8 workers processed 107 of 480 rows more than once, one of them 8 times.',
    mend: '`FOR UPDATE SKIP LOCKED` with a lease, attempts, and a place for what cannot be done.',
  },
};

export const queuedTwice: TrapCheck = {
  code: 'HT902',
  name: 'queue-takes-a-message-twice',
  title: 'The same message may wait in a queue twice',
  severity: 'info',
  traps: ['B4-29'],
  find: async ({ facts }) => {
    const { of } = await facts(constraints);
    const { of: indexesOf } = await facts(indexes);
    return (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      if (!isQueue(table)) return [];
      const unique = indexesOf(table.oid).filter((index) => index.unique);
      return of(table.oid)
        .filter(({ kind, inherited, columns }) => {
          if (
            kind !== 'f' ||
            inherited ||
            !columns.some((column) => /message|event|task|job|item/.test(column))
          )
            return false;
          return !unique.some((index) => columns.some((column) => index.columns.includes(column)));
        })
        .map((key): Draft => ({
          subject: partSubject('foreign key', key.name, table),
          what: `No unique index holds ${key.columns.join(', ')}.`,
          effect: 'Queued twice, it is worked on twice; two counters of attempts stand for one message.',
          mend: [],
          advice: `A unique index on (${key.columns.join(', ')}), with a predicate that holds while the row still waits.`,
        }));
    });
  },
  page: {
    what: '`message_queue (message_id REFERENCES messages, status, …)`.',
    effect: 'The same message is accepted twice, and two workers handle it at once.',
    mend: "A unique index `(message_id) WHERE status = 'pending'`.",
  },
};

export const ttlWithoutEnd: TrapCheck = {
  code: 'HT905',
  name: 'time-to-live-without-end',
  title: 'A time to live is stored, and not when it ends',
  severity: 'info',
  traps: ['B4-29'],
  find: async ({ facts }) =>
    (await facts(relations)).tables.flatMap((table): readonly Draft[] => {
      const ttl = table.columns.find(({ name }) =>
        /^ttl(?:_seconds|_ms|_s)?$|^time_to_live$/.test(name),
      )?.name;
      if (
        ttl === undefined ||
        table.parent !== null ||
        table.columns.some(({ name }) => /expire|valid_until/.test(name))
      )
        return [];
      return [
        {
          subject: partSubject('column', ttl, table),
          what: 'The table has no column that says when a row expires.',
          effect: 'Whoever deletes what has expired computes it for every row: no index serves that.',
          mend: [],
          advice: 'An expires_at, set when the row is written, with an index.',
        },
      ];
    }),
  page: {
    what: '`ttl integer`, in seconds, beside the time a row was made.',
    effect: "`created_at + ttl * interval '1 second' < now()` is computed for every row.",
    mend: 'Store the end itself: `expires_at timestamptz`, with an index, and compare it with now().',
  },
};
