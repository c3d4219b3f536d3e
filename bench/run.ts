// `npm run bench [-- --only NAME --json --quick]`: runs the parts, prints machine, settings, medians and ratios.
// Takes the server of BENCH_URL (a superuser's connection string), or starts one of its own in a temporary folder.
import { parseArgs } from 'node:util';
import { describeMachine, openServer } from './machine.ts';
import type { Comparison, Part, Report } from './measure.ts';
import * as archive from './archive.ts';
import * as lapse from './lapse.ts';
import * as keepWriters from './keep-writers.ts';
import * as partman from './partman.ts';
import * as plan from './plan.ts';
import * as retention from './retention.ts';
import * as rollup from './rollup.ts';
import * as session from './session.ts';
import * as validahub from './validahub.ts';
import * as validahubMining from './validahub-mining.ts';
import * as validahubRules from './validahub-rules.ts';

const PARTS: readonly Part[] = [
  session,
  plan,
  retention,
  archive,
  rollup,
  lapse,
  validahub,
  validahubMining,
  validahubRules,
  keepWriters,
  partman,
];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});

const unknown = (options.only ?? []).filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `No part ${unknown.join(', ')}; the parts are ${PARTS.map((part) => part.name).join(', ')}.\n`,
  );
  process.exitCode = 2;
} else {
  await bench();
}

async function bench(): Promise<void> {
  const server = await openServer(process.env['BENCH_URL']);
  try {
    const machine = await describeMachine(server.url);
    const reports: Record<string, Report> = {};
    if (!options.json) print(lines('Machine', machine));
    for (const part of PARTS.filter((one) => options.only?.includes(one.name) ?? true)) {
      const report = await part.run({ serverUrl: server.url, quick: options.quick });
      reports[part.name] = report;
      if (!options.json) print(shown(part.name, report));
    }
    if (options.json) print(JSON.stringify({ machine, reports }, null, 2));
  } finally {
    await server.stop();
  }
}

function shown(name: string, report: Report): string {
  const aims = report.aims.map(({ text, limit, measured }) => {
    const verdict = measured <= limit ? 'met' : 'MISSED';
    return `  ${verdict.padEnd(7)} ${measured.toFixed(2)} (aim <= ${limit})  ${text}`;
  });
  return [
    lines(`Part ${name}`, report.settings),
    ...report.comparisons.map(table),
    aims.length === 0 ? '' : `Aims\n${aims.join('\n')}\n`,
  ].join('\n');
}

function table(comparison: Comparison): string {
  const width = Math.max(...comparison.timings.map((timing) => timing.label.length));
  const rows = comparison.timings.map((timing) => {
    const figures = [timing.median, timing.p95, timing.p99]
      .map((ms) => `${ms.toFixed(3)} ms`.padStart(12))
      .join('');
    return `  ${timing.label.padEnd(width)}${figures}${timing.ratio.toFixed(2).padStart(8)}`;
  });
  const head = `  ${''.padEnd(width)}${'median'.padStart(12)}${'p95'.padStart(12)}${'p99'.padStart(12)}${'ratio'.padStart(8)}`;
  return [`${comparison.title} (${comparison.runs} runs each, in turn)`, head, ...rows, ''].join('\n');
}

function lines(title: string, of: Readonly<Record<string, string | number>>): string {
  return [title, ...Object.entries(of).map(([key, value]) => `  ${key}: ${value}`), ''].join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
