// Erases one subject of a house in a process of its own, which kills itself at one statement, or is killed by its parent.
import { Client } from 'pg';
import { erasersOf } from '../../src/traits/index.ts';
import { erasing, houseOf } from './erasure-stand.ts';

const [url = '', name = '', root = '', role = '', subject = '', now = '', at = '0', how = 'before'] =
  process.argv.slice(2);
let statements = 0;
// oxlint-disable-next-line typescript/unbound-method -- it is called with its client
const query = Client.prototype.query as (...args: unknown[]) => unknown;
Client.prototype.query = function counted(this: Client, ...args: unknown[]) {
  statements += 1;
  if (statements === Number(at) && how === 'before') process.kill(process.pid, 'SIGKILL');
  const sent = query.apply(this, args);
  // The statement is on its way; the server carries it out, and nobody hears of it.
  if (statements === Number(at) && how === 'within')
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.random() * 3);
  return sent;
} as typeof Client.prototype.query;

const definition = houseOf(name, { root, role });
const [eraser] = erasersOf(definition);
process.stdout.write('begins\n');
await erasing(
  { definition, db: { url } },
  (context) => eraser?.erase(context, { subject, basis: 'killed' }) ?? Promise.reject(new Error('no eraser')),
  new Date(now),
);
process.stdout.write(`finished ${statements}\n`);
