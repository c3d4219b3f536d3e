// Applies a plan and pauses at one boundary until a line comes on standard input; says how it ended.
import { readFileSync } from 'node:fs';
import { apply } from '../../src/build/apply.ts';
import type { Plan } from '../../src/build/step.ts';
import { HoldfastError } from '../../src/error.ts';

const [planFile = '', url = '', pauseAt = '0'] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
let passed = 0;

const onBoundary = async (): Promise<void> => {
  passed += 1;
  if (passed !== Number(pauseAt)) return;
  process.stdout.write('paused\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.destroy();
};

await apply(plan, url, { onBoundary }).then(
  () => process.stdout.write('finished\n'),
  (error: unknown) =>
    process.stdout.write(`${error instanceof HoldfastError ? error.code : String(error)}\n`),
);
