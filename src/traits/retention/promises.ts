// What retention promises about time: how long rows are online, how long in the archive, and where they are read there.
import type { WatchContext } from '../../define/measure.ts';
import type { Model } from '../../define/model.ts';
import type { ArchivedPart, Promised, Residence, Stay } from '../../define/promise.ts';
import { qualified } from '../../sql.ts';
import { startOf } from '../partitions/period.ts';
import { standingOf } from './catalogue.ts';
import { filedRows } from './files/prove.ts';
import { archivedUntil, type Asked, onlineUntil, termsOf, type Terms } from './terms.ts';
import { unitsOf } from './unit.ts';

/** Where the rows of the table are at which age. */
export function promised(model: Model, asked: Asked): Promised {
  const terms = termsOf(model, asked);
  if (terms === undefined) return {};
  const { of, by, job } = terms;
  const residence: Residence = {
    of,
    column: by,
    job,
    online: {
      keepsFrom: (now) => onlineUntil(terms, now),
      clearsBefore: (now) => whole(terms, onlineUntil(terms, now), !terms.byRow),
    },
    ...(terms.archive !== undefined && {
      archive: { ...archiveStay(terms), parts: (context: WatchContext) => parts(context, terms) },
    }),
  };
  return { residences: [residence] };
}

function archiveStay(terms: Terms): Stay {
  const byPart = !terms.byRow || terms.archive?.files !== undefined;
  return {
    keepsFrom: (now) => archivedUntil(terms, now),
    clearsBefore: (now) => {
      const until = archivedUntil(terms, now);
      return until === null ? null : whole(terms, until, byPart);
    },
  };
}

/** Whole parts leave once their newest row may: what began before the running part has left. */
function whole(terms: Terms, until: Date, byPart: boolean): Date {
  return byPart ? new Date(startOf(terms.every, until.getTime())) : until;
}

/** Parts that have a table, and those that are in files alone. */
async function parts(context: WatchContext, terms: Terms): Promise<readonly ArchivedPart[]> {
  const found: ArchivedPart[] = [];
  for (const unit of unitsOf(terms, context.pieces)) {
    if (['closing', 'removing', 'gone'].includes(unit.state)) continue;
    const files = terms.archive?.files;
    const { receipt } = unit;
    if (unit.state === 'filed' && files !== undefined && receipt !== undefined) {
      const read = () => filedRows(files, receipt);
      found.push({ name: receipt.path, from: unit.from, to: unit.to, rows: { read }, grows: false });
    }
    if (unit.state === 'filed') continue;
    // Until the detach is done, the rows are still read in the table itself.
    const online =
      unit.state === 'closed' && (await standingOf(context.query, unit.table, terms.of)) === 'attached';
    if (online) continue;
    const { from, to, table, state } = unit;
    const rows = { sql: qualified(table) };
    found.push({ name: `${table.schema}.${table.name}`, from, to, rows, grows: state === 'receiving' });
  }
  return found;
}
