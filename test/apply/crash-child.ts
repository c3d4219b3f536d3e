// Applies a plan and stops dead at one boundary: says where it stands on standard output and waits for the kill.
import { readFileSync } from 'node:fs';
import { apply } from '../../src/build/apply.ts';
import type { Plan } from '../../src/build/step.ts';

const [planFile = '', url = '', stopAt = '0'] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
let passed = 0;

const onBoundary = async (): Promise<void> => {
  passed += 1;
  if (passed !== Number(stopAt)) return;
  process.stdout.write(`stopped\n`);
  await new Promise(() => setInterval(() => undefined, 1_000));
};

await apply(plan, url, { onBoundary });
process.stdout.write(`finished\n`);
