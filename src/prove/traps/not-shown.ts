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
];
