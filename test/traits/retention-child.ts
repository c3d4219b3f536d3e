// Runs the retention of one shop once and says the number of each statement before it is sent; its parent kills it.
import { paths } from './retention-paths.ts';
import { shopOf, turn } from './retention-stand.ts';

const [url = '', path = '', folder = '', now = ''] = process.argv.slice(2);
const options = paths(folder)[path];
if (options === undefined) throw new Error(`There is no path ${path}.`);
await turn({ url }, shopOf(path, options), {
  now: new Date(now),
  before: (_sql, number) => {
    process.stdout.write(`${number}\n`);
  },
});
process.stdout.write('finished\n');
