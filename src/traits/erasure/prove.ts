// What an erasure asks to be shown: of each kind of subject, what becomes of every table's rows, and how it is carried out.
import type { Forget } from '../../define/erasure.ts';
import { findTable, label, type Model } from '../../define/model.ts';
import type { Proved, Removal, RemovedRows } from '../../define/proof.ts';
import type { ToldOutside } from '../../define/trait.ts';
import { folder } from '../retention/files/index.ts';
import { eraserOf } from './eraser.ts';
import type { ErasureOptions } from './options.ts';
import { type ErasurePlan, keyOf, planOf, type Rule, type Subject } from './plan.ts';

const BASIS = 'proof on made-up rows';

/** One removal a kind of subject. Pure. */
export function removals(model: Model, options: ErasureOptions): Proved {
  const plan = planOf(model, options);
  return { removals: plan.subjects.map((subject) => removal(model, options, { plan, subject })) };
}

/** The options with tombstones in a folder, and caches that only tell who would have been forgotten. */
export function indoors(
  options: ErasureOptions,
  dir: string,
  told: (what: ToldOutside) => Promise<void>,
): ErasureOptions {
  const cache = (name: string): Forget => {
    return async (subject) => {
      await told({ to: `cache ${name}`, about: { ...subject } });
      return { entries: 0 };
    };
  };
  const { caches, tombstones } = options;
  return {
    ...options,
    ...(tombstones !== undefined && { tombstones: folder(`${dir}/tombstones`) }),
    ...(caches !== undefined && {
      caches: Object.fromEntries(Object.keys(caches).map((name) => [name, cache(name)])),
    }),
  };
}

function removal(
  model: Model,
  options: ErasureOptions,
  of: { readonly plan: ErasurePlan; readonly subject: Subject },
): Removal {
  const { subject } = of;
  const asked = options.subjects[subject.name];
  const column = asked === undefined ? undefined : keyOf(model, asked);
  const eraser = eraserOf(model, options);
  return {
    name: subject.name,
    trait: 'erasure',
    ...(subject.root !== undefined && column !== undefined && { root: { of: subject.root, column } }),
    tables: subject.rules.map(removedRows),
    named: ({ key, within }) => `${subject.name}:${within === undefined ? '' : `${within}/`}${key}`,
    placeOf: (relation) =>
      `${findTable(model, relation)?.archiveOf === undefined ? 'table' : 'archive table'} ${label(relation)}`,
    sounds: (_of, name) => SOUNDS.test(name),
    caches: of.plan.caches.map(([name]) => `cache ${name}`),
    carryOut: async (context, named) => {
      const { state, counts, left } = await eraser.erase(context, { subject: named, basis: BASIS });
      return { finished: state === 'erased', counts, left };
    },
    again: async (context) => eraser.replay(context, { everywhere: true }),
  };
}

function removedRows(rule: Rule): RemovedRows {
  return {
    of: rule.of,
    fate: rule.act === 'delete' ? 'deleted' : rule.act === 'change' ? 'changed' : 'kept',
    by: rule.by.map((one) => one.column),
    ...(rule.within !== undefined && { within: rule.within.column }),
    ...(rule.via !== undefined && { through: throughOf(rule.via) }),
    columns: rule.set.map((one) => one.column),
    largeObjects: rule.largeObjects,
    derived: rule.derived,
  };
}

function throughOf({ key, parent }: NonNullable<Rule['via']>): NonNullable<RemovedRows['through']> {
  const columns = key.columns.map((own, at) => ({ own, other: key.references.columns[at] ?? '' }));
  return { of: parent, columns };
}

/** Names of columns that are hardly ever about anything but a person. */
const SOUNDS =
  /(^|_)(e_?mail|phone|mobile|cpf|ssn|passport|birth|birthday|surname|(first|last|full|maiden)_name|address|street|iban)(_|$)/i;
