// npm start: a real PostgreSQL with ValidaHub in it checks a catalogue that comes with the project, and says so on one page.
import { mkdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from 'holdfast';
import { check, readInput, type Checked } from './check.ts';
import { DEMO_CATALOGUE } from './demo/generate.ts';
import { openHome, type Home } from './home.ts';
import { progressLine } from './progress.ts';

const RULES = fileURLToPath(new URL('./rules.yaml', import.meta.url));
const OUT = join('.holdfast', 'corrected-catalogue.csv');
const TENANT = 't_demo';

const COUNTS_SQL = `
  SELECT current_setting('server_version') AS version,
    (SELECT count(*)::int FROM validahub.jobs) AS jobs,
    (SELECT count(*)::int FROM validahub.job_violations) AS violations,
    (SELECT count(*)::int FROM validahub.correction_logs) AS corrections,
    (SELECT count(*)::int FROM validahub.audit_log) AS events`;

process.exitCode = await main().catch((error: unknown) => {
  const unforeseen = error instanceof Error && !(error instanceof HoldfastError);
  process.stderr.write(`${unforeseen ? (error.stack ?? error.message) : (error as Error).message}\n`);
  return 1;
});

async function main(): Promise<number> {
  const cwd = process.cwd();
  const line = progressLine(process.stderr);
  const started = performance.now();
  const input = await readInput({ file: DEMO_CATALOGUE, rules: RULES });
  try {
    const home = await openHome({ cwd, env: process.env, now: () => new Date(), onStage: line.show });
    try {
      await mkdir(join(cwd, '.holdfast'), { recursive: true });
      const checked = await check(home.hub, {
        input,
        out: join(cwd, OUT),
        tenant: TENANT,
        by: 'demo',
        onRows: (rows, of) => line.show('rows', rows, of),
      });
      const counts = await countRows(home);
      const sample = await changes(join(cwd, OUT));
      line.end();
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      process.stdout.write(page({ cwd, home, checked, counts, sample, seconds }));
      return 0;
    } finally {
      await home.leave();
    }
  } finally {
    line.end();
    await input.close();
  }
}

interface Counts {
  readonly version: string;
  readonly jobs: number;
  readonly violations: number;
  readonly corrections: number;
  readonly events: number;
}

/** Read as the application's role within the tenant: what a colleague of another tenant would see as zeros. */
async function countRows(home: Home): Promise<Counts> {
  const { rows } = await home.hub.sessions
    .session({ tenant: TENANT })
    .query<Counts & Record<string, unknown>>(COUNTS_SQL);
  const [counts] = rows;
  if (counts === undefined) throw new Error('a query without FROM gave no row');
  return counts;
}

/** The first lines that differ between the catalogue and what was written, cut to fit. */
async function changes(out: string): Promise<readonly (readonly [before: string, after: string])[]> {
  const [before, after] = [await linesOf(DEMO_CATALOGUE), await linesOf(out)];
  const pairs = before.map((text, index): readonly [string, string] => [text, after[index] ?? '']);
  return pairs.filter(([one, other]) => one !== other).slice(0, 3);
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split('\n');
}

function page(of: {
  cwd: string;
  home: Home;
  checked: Checked;
  counts: Counts;
  sample: readonly (readonly [string, string])[];
  seconds: string;
}): string {
  const { result } = of.checked;
  const { report } = result;
  const broken = report.rules.filter((rule) => rule.broke > 0).sort((a, b) => b.broke - a.broke);
  const rules = broken.slice(0, 12).map((rule) => {
    const counts = [rule.broke, rule.corrected, rule.pending, rule.open].map((n) => String(n).padStart(11));
    return `  ${rule.ruleId.padEnd(24)}${counts.join('')}`;
  });
  return [
    '',
    'ValidaHub checked a catalogue',
    '=============================',
    `${report.file}: ${report.rows} rows against ${report.rules.length} rules (version ${result.version})`,
    `  ${report.rowsOk} rows without errors, ${report.rowsWithErrors} with errors`,
    `  ${report.corrected} values corrected, ${report.pending} proposals wait for a decision, ${report.violations} to mend by hand`,
    '',
    `  ${'Rule'.padEnd(24)}${['Broke', 'Corrected', 'Waits', 'By hand'].map((title) => title.padStart(11)).join('')}`,
    ...rules,
    ...(broken.length > 12 ? [`  and ${broken.length - 12} rules more`] : []),
    '',
    ...of.sample.flatMap(([before, after]) => [`  - ${short(before)}`, `  + ${short(after)}`]),
    '',
    `Corrected file  ${relative(of.cwd, join(of.cwd, OUT))}`,
    ...whereabouts(of),
    `Took ${of.seconds} s.`,
    '',
    'Your own file:  npm run validahub -- check FILE --rules systems/validahub/rules.yaml --out corrected.csv',
    '',
  ].join('\n');
}

function short(text: string): string {
  const line = [...text.trimEnd()];
  return line.length > 96 ? `${line.slice(0, 95).join('')}…` : line.join('');
}

function whereabouts(of: { cwd: string; home: Home; counts: Counts }): string[] {
  const { home, counts } = of;
  const rows = `${counts.jobs} ${counts.jobs === 1 ? 'job' : 'jobs'}, ${counts.violations} violations, ${counts.corrections} corrections, ${counts.events} audit events`;
  const database = [
    `Database        PostgreSQL ${counts.version}, ${home.steps === 0 ? 'already as the definition says' : `built in ${home.steps} steps`}`,
    `                tenant ${TENANT} holds ${rows}`,
  ];
  if (home.server === undefined) return [...database, `                ${home.shown}`];
  const { dataDir, passwordFile } = home.server;
  return [
    ...database,
    `Data            ${relative(of.cwd, dataDir) || dataDir}`,
    '                the server stops with this command; bring it up again, in a second terminal, with',
    '                  npx holdfast up systems/validahub/database.ts',
    '                and look inside with',
    `                  PGPASSWORD=$(cat ${relative(of.cwd, passwordFile)}) psql "${home.shown}"`,
    `                  BEGIN; SET LOCAL app.current_tenant_id = '${TENANT}'; SELECT * FROM validahub.jobs;`,
    ...home.notes.map((note) => `Note            ${note}`),
  ];
}
