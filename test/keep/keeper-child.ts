// A keeper in a process of its own, to be stopped, paused and killed: its one job leaves a trail in a table.
import { keep } from '../../src/keep/index.ts';
import { jobsOf } from './kit.ts';

const [url = '', ledgerSchema = '', mode = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const said = (error: unknown): string => (error as { code?: string }).code ?? String(error);
const once = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const definition = jobsOf({
  work: {
    schedule: { cron: '0 0 1 1 *' },
    atStart: true,
    run: async ({ session, signal }) => {
      await session.query("INSERT INTO trail VALUES ('child begun')");
      if (mode === 'killed') {
        await session.transaction(async (query) => {
          await query("INSERT INTO trail VALUES ('half of it')");
          await query('SELECT pg_sleep(60)');
        });
      }
      if (mode === 'paused') {
        const written = await session
          .transaction(async (query) => {
            await query("INSERT INTO trail VALUES ('half of it')");
            process.stdout.write('inside\n');
            // Until it was asleep for longer than its lease.
            for (let turns = 0, last = Date.now(); turns < 600; turns += 1) {
              await once(20);
              if (Date.now() - last > 900) break;
              last = Date.now();
            }
          })
          .then(() => 'committed', said);
        const after = await session.query("INSERT INTO trail VALUES ('too late')").then(() => 'wrote', said);
        process.stdout.write(`${JSON.stringify({ written, after })}\n`);
      }
      if (mode === 'stopped') {
        for (let batch = 0; !signal.aborted; batch += 1) {
          await session.transaction(async (query) => {
            await query('INSERT INTO trail VALUES ($1)', [`batch ${batch} begun`]);
            await query('SELECT pg_sleep(0.05)');
            await query('INSERT INTO trail VALUES ($1)', [`batch ${batch} done`]);
          });
        }
      }
    },
  },
});

await keep(definition, url, { ledgerSchema, leaseMs: 800, name: 'child', signal: stop.signal });
process.stdout.write('left\n');
