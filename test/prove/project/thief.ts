// The same definition with a job that takes what no promise lets go.
import { database, job } from '../../../src/define/index.ts';
import { partitions } from '../../../src/traits/index.ts';
import { events } from './holdfast.ts';

export default database('lapse_thief', {
  tables: { events },
  traits: [partitions(events, { by: 'at', every: 'month' })],
  jobs: [job('thief', { schedule: { cron: '0 3 17 * *' } }, { sql: 'DELETE FROM events WHERE id = 1' })],
});
