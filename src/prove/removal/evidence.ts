// What was seen of removals, as a person reads it.
import { label, type RemovedRows } from '../../define/index.ts';
import type { Evidence, Section } from '../evidence.ts';
import type { Removed } from './removal.ts';
import type { Place } from './search.ts';
import type { Change } from './snapshot.ts';
import type { Fault, Trial } from './trial.ts';

/** What {@link proveRemoval} saw, to be shown and recorded. Pure. */
export function removalEvidence(removed: Removed): Evidence {
  const { proof, trials, durationMs } = removed;
  const relations = new Set(trials.flatMap((trial) => trial.changes.map((change) => change.place)));
  const sum = (of: (change: Change) => number): number =>
    trials
      .flatMap((trial) => trial.changes)
      .filter((one) => !one.moves)
      .reduce((rows, one) => rows + of(one), 0);
  const names = new Set(trials.map((trial) => trial.name));
  return {
    proof,
    ...judged(removed, relations.size),
    figures: {
      kinds: names.size,
      relations: relations.size,
      rows_made: removed.rows,
      rows_deleted: sum((one) => one.deleted),
      rows_changed: sum((one) => one.changed),
      rows_kept: sum((one) => (one.rule?.fate === 'kept' ? one.kept : 0)),
      found_after: columnsFound(trials).size,
      others_changed: sum((one) => one.others.length),
      erasures: trials.reduce((so, trial) => so + trial.steps.length, 0),
    },
    sections: sections(removed),
    durationMs,
  };
}

function columnsFound(trials: readonly Trial[]): ReadonlySet<string> {
  return new Set(trials.flatMap(({ faults }) => faults.flatMap(({ found }) => found ?? [])));
}

function judged(removed: Removed, relations: number): Pick<Evidence, 'verdict' | 'line'> {
  const { trials, nobody, lived } = removed;
  const faults = [...new Set(trials.flatMap((trial) => trial.faults).map((fault) => fault.what))];
  const [first] = faults;
  if (first !== undefined)
    return {
      verdict: 'broken',
      line: `${first}${faults.length > 1 ? `; and ${faults.length - 1} more` : ''}`,
    };
  const [open] = [
    ...nobody.map(({ name, why }) => `nobody could be made to be a ${name}: ${why}`),
    ...untried(trials).map(
      ({ name, place }) => `${place} had no row of a ${name}, so what becomes of it was not seen`,
    ),
  ];
  if (open !== undefined) return { verdict: 'not shown', line: open };
  const names = [...new Set(trials.map((trial) => `a ${trial.name}`))].join(' and ');
  const tries = trials.reduce((sum, trial) => sum + trial.steps.length, 0);
  const archives = lived.archived.length > 0 ? `, ${lived.archived.length} of them archived` : '';
  return {
    verdict: 'held',
    line: `${names} erased ${tries} times from ${relations} relations${archives}: nothing found after, no other row changed`,
  };
}

/** Tables of which something is said and that never had a row of the subject, online or archived. */
function untried(trials: readonly Trial[]): readonly { readonly name: string; readonly place: string }[] {
  const tried = new Map<string, { name: string; place: string; rows: number }>();
  for (const { name, changes } of trials)
    for (const { rule, deleted, changed, kept } of changes) {
      if (rule === undefined || rule.derived) continue;
      const key = `${name} ${label(rule.of)}`;
      const rows = (tried.get(key)?.rows ?? 0) + deleted + changed + kept;
      tried.set(key, { name, place: `table ${label(rule.of)}`, rows });
    }
  return [...tried.values()].filter(({ rows }) => rows === 0);
}

const ROUNDS = {
  online: 'its rows in their tables',
  archived: 'what is old of it archived',
} as const;

function sections(removed: Removed): readonly Section[] {
  const { trials, nobody, owners, rows, lived, notes } = removed;
  return [
    {
      kind: 'text',
      title: 'What was tried',
      lines: [
        `The definition was built in a scratch database; ${rows} rows were made for ${owners} owners, through its constraints and triggers.`,
        lived.archived.length > 0
          ? `Figures were brought up to date, and rows left for the archives of ${lived.archived.join(', ')} (as of ${lived.now.toISOString().slice(0, 10)}); then everything was analysed.`
          : 'Figures were brought up to date, and everything was analysed; nothing was archived.',
        'After each erasure every table, partition, materialised view and archive of every schema, the ledger, statistics, large objects and files were searched for what stood in rows of the subject alone, and every other row was compared.',
        'In the tables: rows of the subject that are gone, changed, kept; cells that held something of it before; cells in which something was found after; rows of others that changed.',
      ],
    },
    ...nobody.map(({ name, why }): Section => ({ kind: 'text', title: `No ${name}`, lines: [why] })),
    ...trials.flatMap(ofTrial),
    ...(notes.length > 0 ? [{ kind: 'text', title: 'What could not be had', lines: notes } as const] : []),
    {
      kind: 'text',
      title: 'What this does not look into',
      lines: [
        'Free space in pages until something is written over it (VACUUM FULL, or `--rewrite`), WAL, base backups, dumps and replicas made before, logs of the server.',
        'Numbers, dates and truth values: a text can be told from others, a 7 cannot. They are compared row by row instead.',
        'Caches outside the database: what would have been told to them is looked at, not what they do.',
      ],
    },
  ];
}

function ofTrial(trial: Trial): readonly Section[] {
  const { name, round, steps, faults } = trial;
  return [
    relationsTable(trial),
    {
      kind: 'table',
      title: `A ${name}, ${ROUNDS[round]}: what was tried`,
      columns: [{ name: 'tried' }, { name: 'seen' }],
      rows: steps.map((step) => ({
        cells: [step.name, step.line],
        verdict: step.held ? ('held' as const) : ('broken' as const),
      })),
    },
    ...(faults.length > 0 ? [faultLines(trial)] : []),
    ...statements(trial),
    ...beside(trial),
  ];
}

/** Relations that had rows of the subject, or where something is not as it should be. */
function shown(trial: Trial): readonly Change[] {
  return trial.changes.filter((one) => {
    const rows = one.deleted + one.changed + (one.rule === undefined ? 0 : one.kept);
    return rows > 0 || one.others.length > 0 || hasFault(trial, one);
  });
}

function relationsTable(trial: Trial): Section {
  const { name, round, before, after } = trial;
  const heads = ['relation', 'the definition says', 'gone', 'changed', 'kept'];
  return {
    kind: 'table',
    title: `A ${name}, ${ROUNDS[round]}`,
    columns: [...heads, 'cells', 'found', 'others'].map((head) => ({ name: head })),
    rows: shown(trial).map((one) => ({
      cells: [
        one.place,
        one.moves ? 'figures, which move' : saying(one.rule),
        one.deleted,
        one.changed,
        one.kept,
        cellsAt(before, one),
        cellsAt(after, one) - keptCells(after, one),
        one.others.length,
      ],
      verdict: hasFault(trial, one) ? 'broken' : 'held',
    })),
  };
}

function beside(trial: Trial): readonly Section[] {
  const { name, accepted, notes, report } = trial;
  const besides = shown(trial).flatMap((one) => one.besides.map((column) => `${one.place}: ${column}`));
  const lines = [
    ...notes,
    ...(besides.length > 0
      ? [`Triggers also changed in rows of the subject that stay: ${besides.join('; ')}.`]
      : []),
    ...report.left,
  ];
  const meant = accepted.map(({ place, because }) => `${place.name}.${place.column ?? ''}: ${because}`);
  return [
    ...(meant.length > 0 ? [{ kind: 'text', title: 'Meant to be as it is', lines: meant } as const] : []),
    ...(lines.length > 0 ? [{ kind: 'text', title: `A ${name}: beside that`, lines } as const] : []),
  ];
}

function faultLines({ name, faults }: Trial): Section {
  return {
    kind: 'text',
    title: `A ${name}: what is not as the definition says`,
    lines: [...new Set(faults.map(({ when, what }) => `${when}: ${what}`))],
  };
}

function statements({ faults }: Trial): readonly Section[] {
  const once = new Map<string, Fault>();
  for (const fault of faults)
    if (fault.sql !== undefined && !once.has(fault.found ?? fault.sql))
      once.set(fault.found ?? fault.sql, fault);
  return [...once.values()].map(({ sql = '', what, column }): Section => ({
    kind: 'statement',
    title: what,
    sql,
    said:
      column === undefined
        ? 'a row that should hold nothing of it'
        : `a row that should hold nothing of it; name ${column.replace(/^column /, '')} in the erasure (the row goes, or the column is blanked or pseudonymised), or say why it holds nobody: accept: [{ code: 'removal', subject: '${column}', because: '…' }]`,
  }));
}

function saying(rule: RemovedRows | undefined): string {
  if (rule === undefined) return 'nothing';
  if (rule.fate === 'changed') return `${rule.columns.join(', ')} lost`;
  return rule.fate === 'kept' ? 'kept as pseudonym' : 'deleted';
}

/** Cells that hold what is looked for, whatever text it is. */
function cellsAt(places: readonly Place[], change: Change): number {
  return places.filter((place) => isAt(place, change)).reduce((sum, place) => sum + place.rows, 0);
}

function keptCells(places: readonly Place[], change: Change): number {
  const { rule } = change;
  if (rule?.fate !== 'kept') return 0;
  return places
    .filter((place) => isAt(place, change) && rule.by.includes(place.column ?? ''))
    .reduce((sum, place) => sum + place.rows, 0);
}

function isAt({ kind, name }: Place, { place }: Change): boolean {
  return kind === 'table' ? place.endsWith(` ${name}`) && !place.startsWith('archive files') : name === place;
}

function hasFault({ faults }: Trial, change: Change): boolean {
  const name = change.rule === undefined ? change.place.split(' ').at(-1) : label(change.rule.of);
  return faults.some(
    ({ what, column }) =>
      what.startsWith(`${change.place}:`) ||
      (column !== undefined && !change.place.startsWith('archive') && column.startsWith(`column ${name}.`)),
  );
}
