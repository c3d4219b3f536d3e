// What is wrong with an incremental rollup, seen in the definition alone.
import { findTable, label, type Model, type RelationName, type Table } from '../../../define/model.ts';
import type { Diagnostic } from '../../../define/trait.ts';
import { columnOf, relationOf } from '../../reference.ts';
import { budgetSeconds } from '../budget.ts';
import type { IncrementalOptions } from './options.ts';
import { plainType, timeKind } from './plan.ts';

interface Scene {
  readonly of: RelationName;
  readonly options: IncrementalOptions;
  readonly target: Table;
  readonly source: Table;
}

/** Everything wrong with one rollup; none: an empty list. */
export function sumFindings(
  model: Model,
  of: RelationName,
  options: IncrementalOptions,
): readonly Diagnostic[] {
  const target = findTable(model, of);
  const source = findTable(model, relationOf(options.of));
  if (target === undefined || source === undefined) {
    const missing = target === undefined ? of : relationOf(options.of);
    return [
      error(`table ${label(missing)}`, {
        code: 'HF_TRAIT_TABLE',
        what: `the rollup ${label(of)} names it, but the definition has no such table.`,
        fix: 'Add the table or correct its name.',
      }),
    ];
  }
  const scene = { of, options, target, source };
  return [
    ...columns(scene),
    ...key(scene),
    ...times(scene),
    ...sums(scene),
    ...owner(model, scene),
    ...age(scene),
  ];
}

function named(options: IncrementalOptions): readonly string[] {
  const { bucket, stamp } = options;
  return [
    ...keyColumns(options),
    columnOf(options.count),
    ...[options.sums, options.least, options.greatest, options.carried, options.recounted].flatMap((one) =>
      Object.keys(one ?? {}),
    ),
    ...(stamp === undefined ? [] : [columnOf(stamp)]),
  ].filter(
    (name, at, all) => bucket === undefined || all.indexOf(name) === at || name !== columnOf(bucket.column),
  );
}

function keyColumns({ key: own, bucket }: IncrementalOptions): readonly string[] {
  return [...Object.keys(own), ...(bucket === undefined ? [] : [columnOf(bucket.column)])];
}

function columns({ of, options, target }: Scene): Diagnostic[] {
  const all = named(options);
  const unknown = all.filter((name) => !target.columns.some((column) => column.name === name));
  const twice = all.filter((name, at) => all.indexOf(name) !== at);
  const unfilled = target.columns.filter(
    (column) =>
      column.notNull &&
      column.default === undefined &&
      column.generated === undefined &&
      column.identity === undefined &&
      !all.includes(column.name),
  );
  const subject = `table ${label(of)}`;
  return [
    ...list(unknown, (names) =>
      error(subject, {
        code: 'HF_TRAIT_COLUMN',
        what: `its rollup fills ${names}, which it does not have.`,
        fix: 'Add the column or correct its name.',
      }),
    ),
    ...list(twice, (names) =>
      error(subject, {
        code: 'HF_ROLLUP_COLUMN',
        what: `its rollup fills ${names} twice.`,
        fix: 'Name each column once.',
      }),
    ),
    ...list(
      unfilled.map((column) => column.name),
      (names) =>
        error(subject, {
          code: 'HF_ROLLUP_COLUMN',
          what: `its rollup leaves ${names} empty, which may not be NULL.`,
          fix: 'Say what fills it, or give it a default.',
        }),
    ),
  ];
}

function key({ of, options, target }: Scene): Diagnostic[] {
  const wanted = [...keyColumns(options)].sort().join(', ');
  const keys = [target.primaryKey, ...target.uniques].flatMap((one) =>
    one === undefined ? [] : [one.columns],
  );
  if (keys.some((one) => [...one].sort().join(', ') === wanted)) return [];
  return [
    error(`table ${label(of)}`, {
      code: 'HF_ROLLUP_KEY',
      what: `no primary key or unique constraint has exactly the columns of its rollup's key (${wanted}).`,
      fix: 'Make them its primary key.',
    }),
  ];
}

function times({ of, options, target, source }: Scene): Diagnostic[] {
  const subject = `table ${label(of)}`;
  const found: Diagnostic[] = [];
  const { time, bucket, recounted } = options;
  if (time !== undefined && timeKind(typeOf(source, columnOf(time))) === undefined) {
    found.push(
      error(`table ${label(source)}`, {
        code: 'HF_ROLLUP_TIME',
        what: `the rollup ${label(of)} takes ${columnOf(time)} for its time, which is none.`,
        fix: 'Name a column of type timestamptz, timestamp or date.',
      }),
    );
  }
  if (bucket !== undefined && time === undefined) {
    found.push(
      error(subject, {
        code: 'HF_ROLLUP_TIME',
        what: 'its rollup has a bucket and no time to fill it from.',
        fix: "Name the source's column of time in 'time'.",
      }),
    );
  }
  const bucketType = bucket === undefined ? 'date' : typeOf(target, columnOf(bucket.column));
  if (timeKind(bucketType) === undefined || (bucket?.every === 'hour' && plainType(bucketType) === 'date')) {
    found.push(
      error(subject, {
        code: 'HF_ROLLUP_TIME',
        what: `its bucket's column is ${bucketType}, which cannot hold the start of ${bucket?.every === 'hour' ? 'an hour' : 'a period'}.`,
        fix: 'Make it timestamptz, or date for days and months.',
      }),
    );
  }
  if (Object.keys(recounted ?? {}).length > 0 && bucket === undefined) {
    found.push(
      error(subject, {
        code: 'HF_ROLLUP_RECOUNT',
        what: 'it has figures that are counted anew and no bucket: each change would read the whole history of its key.',
        fix: "Add 'bucket' and 'time', or take figures that can be added up.",
      }),
    );
  }
  return found;
}

const ADDED_UP = /^(smallint|int2|integer|int|int4|bigint|int8|numeric|decimal|interval)$/;

function sums({ of, options, target }: Scene): Diagnostic[] {
  return [columnOf(options.count), ...Object.keys(options.sums ?? {})]
    .map((column) => ({ column, type: typeOf(target, column) }))
    .filter(
      ({ type }) => type !== '' && (!ADDED_UP.test(plainType(type)) || /^(numeric|decimal)\s*\(/i.test(type)),
    )
    .map(({ column, type }) =>
      error(`column ${label(of)}.${column}`, {
        code: 'HF_ROLLUP_SUM',
        what: `a sum is kept in it, and ${type} rounds: added up piece by piece it would drift from the sum of all.`,
        fix: 'Make it bigint or numeric without a scale; round where it is read.',
      }),
    );
}

function owner(model: Model, { of, options }: Scene): Diagnostic[] {
  const role = model.roles.find((one) => one.name === options.refreshedBy);
  if (role === undefined || role.existing === true || (!role.login && role.bypassRls)) return [];
  return [
    error(`table ${label(of)}`, {
      code: 'HF_MATVIEW_OWNER',
      what: `its rollup counts with the rights of ${role.name}, which ${role.login ? 'may log in' : 'has no BYPASSRLS'}: under forced row security it would miss rows without an error.`,
      fix: 'Name a role without login and with BYPASSRLS.',
    }),
  ];
}

function age({ of, options }: Scene): Diagnostic[] {
  if (options.budget === undefined || budgetSeconds(options.budget) !== undefined) return [];
  return [
    error(`table ${label(of)}`, {
      code: 'HF_ROLLUP_BUDGET',
      what: `its budget ${JSON.stringify(options.budget)} is no length of time.`,
      fix: "Write it like '15 minutes', '2 hours' or '1 day'.",
    }),
  ];
}

function typeOf(table: Table, column: string): string {
  return table.columns.find((one) => one.name === column)?.type ?? '';
}

function list(names: readonly string[], make: (joined: string) => Diagnostic): Diagnostic[] {
  return names.length === 0 ? [] : [make([...new Set(names)].join(', '))];
}

function error(
  subject: string,
  text: { readonly code: `HF_${string}`; readonly what: string; readonly fix: string },
): Diagnostic {
  return { severity: 'error', subject, ...text };
}
