// The same truth for people: what a collection found, as lines.
import type { CardLine } from '../define/measure.ts';
import type { Collection } from './collect.ts';

/**
 * What a collection found, as lines for `holdfast status`: the keeper, what every trait says of its own samples, and
 * what could not be looked at. Lines of one topic stand together; within it those that are late come first.
 * @returns the lines; one that is late is not as promised
 */
export function card(collection: Collection): readonly CardLine[] {
  const lines = [
    ...keeperLines(collection),
    ...proofLines(collection),
    ...collection.parts.flatMap(({ watched, samples }) => watched.card?.(samples, collection.at) ?? []),
    ...collection.notes.map((note): CardLine => ({
      topic: note.collector,
      subject: 'not visible',
      text: note.what,
      late: !note.denied,
    })),
  ];
  const topics = [...new Set(lines.map((line) => line.topic))];
  return topics.flatMap((topic) => {
    const own = lines.filter((line) => line.topic === topic);
    return [...own.filter((line) => line.late), ...own.filter((line) => !line.late)];
  });
}

function keeperLines({ samples }: Collection): CardLine[] {
  const value = (metric: string): number | undefined => samples.find((one) => one.metric === metric)?.value;
  const leads = value('holdfast_keeper_leader');
  // A definition without jobs needs no keeper.
  if (leads === undefined || value('holdfast_job_scheduled') === undefined) return [];
  const age = value('holdfast_keeper_beat_age_seconds');
  const heard =
    age === undefined ? 'none has led yet, or the last one stopped' : `last heard of ${duration(age)} ago`;
  return [{ topic: 'keeper', subject: leads === 1 ? 'leads' : 'none leads', text: heard, late: leads === 0 }];
}

// A proof that is broken is not as promised; one that could not be shown says nothing of the promise.
function proofLines({ samples }: Collection): CardLine[] {
  return samples.flatMap(({ metric, labels, value }): CardLine[] => {
    if (metric !== 'holdfast_proof_verdict' || value !== 1) return [];
    const { proof = '', verdict = '' } = labels;
    const age = samples.find(
      (one) => one.metric === 'holdfast_proof_age_seconds' && one.labels['proof'] === proof,
    );
    const broken = verdict === 'broken';
    const text = `${verdict.replace('_', ' ')} ${duration(age?.value ?? 0)} ago`;
    return [
      {
        topic: 'proofs',
        subject: proof,
        text: broken ? `${text}; holdfast prove --last shows it` : text,
        late: broken,
      },
    ];
  });
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** A number of seconds for people, in its largest whole unit: `3 days`, `1 hour`, `12 seconds`. */
export function duration(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? (['second', 1] as const);
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
