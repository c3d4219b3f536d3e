// What is wrong with budgets before anything is measured.
import type { Budget, Percentile, TimeBudget } from '../../define/budget.ts';
import { findTable, label, type Model } from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';

/** Requests that must lie beyond a percentile, so that it is not the luck of one or two. */
const BEYOND = 5;
const SHARE: Readonly<Record<Percentile, number>> = { p50: 0.5, p95: 0.05, p99: 0.01 };

/** Mistakes in budgets, each on its own. */
export function findings(model: Model, list: readonly Budget[]): readonly Diagnostic[] {
  return [
    ...sameNames(list),
    ...list.flatMap((one) => [...sizes(one), ...rows(one, model), ...way(one, model)]),
  ];
}

function error(one: Budget, what: string, fix: string): Diagnostic {
  return { code: 'HF_BUDGET', severity: 'error', subject: `budget ${one.name}`, what, fix };
}

function sameNames(list: readonly Budget[]): readonly Diagnostic[] {
  return list
    .filter((one, at) => list.findIndex((other) => other.name === one.name) < at)
    .map((one) => error(one, 'another budget has this name.', 'Give each a name of its own.'));
}

function sizes(one: Budget): readonly Diagnostic[] {
  const kinds = Object.keys(one.data.rows);
  const asked = Object.entries(one.at);
  const unknown = asked.filter(([kind]) => !kinds.includes(kind));
  if (unknown.length > 0) {
    const named = unknown.map(([kind]) => kind).join(', ');
    return [error(one, `volume ${one.data.name} has no ${named}.`, `It has ${kinds.join(', ')}.`)];
  }
  const wrong = asked.filter(([, rows]) => !Number.isSafeInteger(rows) || rows < 0);
  return wrong.map(([kind, rows]) =>
    error(one, `${rows} ${kind} is no size.`, 'Give a whole number from 0.'),
  );
}

function rows(one: Budget, model: Model): readonly Diagnostic[] {
  return Object.values(one.data.rows).flatMap(({ into, columns }) => {
    const table = findTable(model, into);
    if (table === undefined) {
      return [
        error(
          one,
          `its volume fills ${label(into)}, which is no table of the definition.`,
          'Name one that is.',
        ),
      ];
    }
    return columns
      .filter((name) => !table.columns.some((column) => column.name === name))
      .map((name) =>
        error(one, `its volume fills column ${name}, which ${label(into)} has not.`, 'Name its own columns.'),
      );
  });
}

function way(one: Budget, model: Model): readonly Diagnostic[] {
  if (one.kind === 'figure') return [];
  const { clients, ratePerSecond, samples, role } = one;
  const found: Diagnostic[] = [];
  if (!Number.isInteger(clients) || clients < 1 || !(ratePerSecond > 0)) {
    const said = `${clients} clients at ${ratePerSecond} requests a second is no load.`;
    found.push(error(one, said, 'Give one client at least, and a rate above 0.'));
  }
  if (role !== undefined && !model.roles.some(({ name }) => name === role)) {
    found.push(error(one, `there is no role ${role}.`, 'Name one of the definition, or none.'));
  }
  return [...found, ...tooFew(one, samples)];
}

function tooFew(one: TimeBudget, samples: number): readonly Diagnostic[] {
  return (Object.keys(one.limitsMs) as Percentile[]).flatMap((percentile) => {
    const needed = Math.ceil(BEYOND / SHARE[percentile]);
    if (samples >= needed) return [];
    const what = `${samples} requests say too little of ${percentile}: ${BEYOND} should lie beyond it.`;
    return [error(one, what, `Measure ${needed} at least.`)];
  });
}
