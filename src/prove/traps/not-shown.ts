// Traps that no catalogue, plan or harmless question can show, with the reason; the index page ends with them.

/** `traps`: the recorded ids. */
export const NOT_SHOWN: readonly {
  readonly traps: readonly string[];
  readonly what: string;
  readonly why: string;
}[] = [
  {
    traps: ['BX-17'],
    what: 'A pg_cron job that another of the same name has replaced',
    why: '`cron.schedule` overwrites the row; the first job leaves no trace. Two that stand side by side are found.',
  },
  {
    traps: ['BX-32'],
    what: 'Several systems in one schema whose tables have the same names and mean different things',
    why: "The second system was never created, or took over the first one's table; what it meant stands in its own files.",
  },
  {
    traps: ['BX-27', 'B4-34'],
    what: 'A restore that reported success and lost or doubled rows; a partial dump that cannot be restored alone',
    why: 'A restored table looks like any other. Whether a backup restores is shown by restoring it. What keeps one from being restored is found.',
  },
  {
    traps: ['B0-10', 'B0-11', 'B0-13', 'B2-15', 'B4-35'],
    what: 'A backup that is no incremental, cannot be rolled forward, deletes its last good copy or whose settings stand in a script',
    why: 'The commands run outside the database. What the server says of archiving is found.',
  },
  {
    traps: ['B0-09', 'B1-12'],
    what: 'Backups that nothing encrypts; keys that stay in the memory of the application',
    why: 'Both lie outside the server.',
  },
  {
    traps: ['B0-01', 'B1-18', 'B2-02', 'B3-01', 'B3-03', 'B3-05', 'B3-11', 'B3-13', 'B4-01'],
    what: 'Statements that PostgreSQL refuses: they fail when they are run, and leave nothing behind',
    why: 'There is no object to look at. Loading the definition shows them; an invalid index that such a run leaves is found.',
  },
  {
    traps: ['B3-12'],
    what: 'Indexes that are described and in no migration',
    why: 'What was described is not in the catalogue; `holdfast plan` compares a definition with a server.',
  },
  {
    traps: ['B0-05', 'B0-06', 'B0-07', 'B3-20'],
    what: 'Retention: sums that forget what has left, rows that stay up to a month longer, archives without a place, caches without a limit of size',
    why: 'How long rows are to stay, and what is to be remembered of them, is a promise and no object.',
  },
  {
    traps: ['B0-08', 'B1-08', 'B1-09', 'B1-15'],
    what: 'Erasure against what is kept for good; chains of hashes that lose their beginning, or have no key; records that are both read-only and written',
    why: 'They are contradictions of what is wanted. Keys out of and into append-only tables, and chains that fork, are found.',
  },
  {
    traps: ['B1-16', 'B4-36'],
    what: 'Relations and versions that contradict each other in the description',
    why: 'The catalogue holds one of them only.',
  },
  {
    traps: ['B2-11'],
    what: 'A partial index that covers nearly every row',
    why: 'What it covers depends on the rows that will be there; the planner shows it once they are.',
  },
  {
    traps: ['B3-19'],
    what: 'jsonb where bytes are meant: order of keys, duplicates and \\u0000 are lost',
    why: 'Whether the bytes matter is not in the catalogue.',
  },
  {
    traps: ['B2-16'],
    what: 'max_connections taken for a pool',
    why: "The pool is the application's.",
  },
  {
    traps: ['B2-17'],
    what: 'A dashboard with its default password',
    why: 'It is another program.',
  },
  {
    traps: ['B0-02', 'B0-16', 'B1-01', 'B1-02', 'B2-09', 'B2-10', 'B2-19'],
    what: 'Figures without size, machine and percentile, or that do not add up',
    why: 'A figure is measured or it is not: see budgets.',
  },
];
