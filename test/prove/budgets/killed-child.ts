// Measures a shop's budget and says what it is doing; its parent kills it in the middle.
import { budget, budgets } from '../../../src/traits/index.ts';
import { proveBudgets } from '../../../src/prove/budgets/index.ts';
import { defineShop, sixtyDays } from './shop.ts';

const [url = '', app = '', owner = ''] = process.argv.slice(2);
const definition = defineShop((kind) => (kind === 'app' ? app : owner), {
  traits: [
    budgets(
      budget('nothing', {
        data: sixtyDays,
        at: { orders: 5_000 },
        run: { sql: 'SELECT 1', as: () => ({ tenant: 't_a' }) },
      }),
    ),
  ],
});
await proveBudgets({
  definition,
  url,
  now: new Date('2026-11-21T12:00:00Z'),
  onProgress: ({ doing }) => process.stdout.write(`${doing}\n`),
});
