// How long something took, drawn: classes on a logarithmic scale, the percentiles, and the line of the budget.
import type { LatencySection } from '../evidence.ts';
import { figure, html, type Html } from './html.ts';

const WIDTH = 760;
const HEIGHT = 250;
const LEFT = 52;
const RIGHT = 12;
const TOP = 72;
const BOTTOM = 42;
const FLOOR = HEIGHT - BOTTOM;

/** Inline SVG of a distribution; empty where nothing was measured. Coordinates have one place. */
export function latencyChart(section: LatencySection): Html {
  const { classes, budget } = section;
  const counts = classes.map(({ count }) => count);
  const most = Math.max(1, ...counts);
  const x = scaleOf(section);
  if (x === undefined) return html``;
  const bars = classes.map(({ upToMs, count }, at) => {
    const from = classes[at - 1]?.upToMs ?? firstFrom(upToMs);
    const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (FLOOR - TOP));
    const over = budget !== undefined && from >= budget.ms;
    const width = Math.max(0.8, x(upToMs) - x(from) - 0.8);
    return count === 0
      ? ''
      : html`<rect
          class="${over ? 'over' : 'bar'}"
          x="${place(x(from))}"
          y="${place(FLOOR - height)}"
          width="${place(width)}"
          height="${place(height)}"
        />`;
  });
  const marks = [
    mark({ name: `p50 ${figure(section.p50Ms)} ms`, at: x(section.p50Ms), row: 0 }),
    mark({ name: `p95 ${figure(section.p95Ms)} ms`, at: x(section.p95Ms), row: 1 }),
    mark({ name: `p99 ${figure(section.p99Ms)} ms`, at: x(section.p99Ms), row: 2 }),
  ];
  const limit =
    budget === undefined
      ? ''
      : mark({
          name: `budget: ${budget.percentile} within ${figure(budget.ms)} ms`,
          at: x(budget.ms),
          row: 3,
          limit: true,
        });
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${described(section)}">
    ${axes(section, x, most)}${bars}${marks}${limit}
  </svg>`;
}

type Scale = (ms: number) => number;

/** A class of a logarithmic histogram is about as wide as the one after it. */
const firstFrom = (upToMs: number): number => upToMs / 1.5;

function scaleOf({ classes, budget, p50Ms, p95Ms, p99Ms }: LatencySection): Scale | undefined {
  const first = classes[0];
  if (first === undefined) return undefined;
  const all = [
    firstFrom(first.upToMs),
    ...classes.map(({ upToMs }) => upToMs),
    p50Ms,
    p95Ms,
    p99Ms,
    ...(budget === undefined ? [] : [budget.ms]),
  ].filter((ms) => Number.isFinite(ms) && ms > 0);
  if (all.length === 0) return undefined;
  const low = Math.log(Math.min(...all));
  const high = Math.log(Math.max(...all) * 1.05);
  return (ms) => {
    const share = (Math.log(Math.max(ms, Number.MIN_VALUE)) - low) / (high - low || 1);
    return LEFT + Math.min(1, Math.max(0, share)) * (WIDTH - LEFT - RIGHT);
  };
}

const place = (value: number): string => value.toFixed(1);

function mark(of: {
  readonly name: string;
  readonly at: number;
  readonly row: number;
  readonly limit?: boolean;
}): Html {
  const y = 13 + of.row * 16;
  const end = of.at > WIDTH * 0.66;
  const [line, name] = of.limit === true ? ['limit', 'limit-name'] : ['at', ''];
  return html`<line
      class="${line}"
      x1="${place(of.at)}"
      x2="${place(of.at)}"
      y1="${y - 10}"
      y2="${FLOOR}"
    /><text
      class="${name}"
      x="${place(of.at + (end ? -5 : 5))}"
      y="${y}"
      text-anchor="${end ? 'end' : 'start'}"
      >${of.name}</text
    >`;
}

function axes({ classes }: LatencySection, x: Scale, most: number): Html {
  const bounds = classes.map(({ upToMs }) => upToMs).filter((ms) => Number.isFinite(ms) && ms > 0);
  const from = firstFrom(bounds[0] ?? 1);
  const to = bounds.at(-1) ?? 1;
  const ticks = ticksBetween(from, to).map(
    (ms) =>
      html`<line
          class="axis"
          x1="${place(x(ms))}"
          x2="${place(x(ms))}"
          y1="${FLOOR}"
          y2="${FLOOR + 5}"
        /><text class="soft" x="${place(x(ms))}" y="${FLOOR + 19}" text-anchor="middle">${figure(ms)}</text>`,
  );
  const rows = [0, 0.5, 1].map((share) => {
    const y = FLOOR - share * (FLOOR - TOP);
    return html`<line
        class="axis"
        x1="${LEFT}"
        x2="${WIDTH - RIGHT}"
        y1="${place(y)}"
        y2="${place(y)}"
      /><text class="soft" x="${LEFT - 6}" y="${place(y + 4)}" text-anchor="end"
        >${figure(Math.round(share * most))}</text
      >`;
  });
  return html`${rows}${ticks}<text class="soft" x="${WIDTH - RIGHT}" y="${HEIGHT - 5}" text-anchor="end"
      >milliseconds, logarithmic; height: how many</text
    >`;
}

/** 1, 2 and 5 of each power of ten; only the powers where that would be crowded. */
function ticksBetween(from: number, to: number): readonly number[] {
  const wide = to / from > 1_000;
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power += 1)
    for (const step of wide ? [1] : [1, 2, 5]) {
      const ms = step * 10 ** power;
      if (ms >= from && ms <= to) ticks.push(Number(ms.toPrecision(1)));
    }
  return ticks;
}

function described({ title, p50Ms, p95Ms, p99Ms, budget }: LatencySection): string {
  const may = budget === undefined ? '' : ` The budget is ${figure(budget.ms)} ms for ${budget.percentile}.`;
  return `${title}: half within ${figure(p50Ms)} ms, 95 of 100 within ${figure(p95Ms)} ms, 99 of 100 within ${figure(p99Ms)} ms.${may}`;
}
