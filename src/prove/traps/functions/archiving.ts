// HT320 and HT321: archiving of WAL that loses segments, or ships them late.
import type { Draft, TrapCheck } from '../check.ts';

/** Settings of archiving as pg_settings shows them to everybody. */
export interface Archiving {
  readonly mode: string;
  readonly command: string | null;
  readonly library: string | null;
  readonly timeoutSeconds: number;
}

const ARCHIVING_SQL = `
  SELECT pg_catalog.max(s.setting) FILTER (WHERE s.name = 'archive_mode') AS mode,
         pg_catalog.max(s.setting) FILTER (WHERE s.name = 'archive_command') AS command,
         pg_catalog.max(s.setting) FILTER (WHERE s.name = 'archive_library') AS library,
         pg_catalog.max(s.setting) FILTER (WHERE s.name = 'archive_timeout')::pg_catalog.int4 AS "timeoutSeconds"
  FROM pg_catalog.pg_settings s WHERE s.name LIKE 'archive\\_%'`;

/** What is wrong with a command that archives WAL; undefined where nothing is seen. */
export function overwrites({ mode, command, library }: Archiving): Draft | undefined {
  if (mode === 'off' || command === null || command === '' || (library ?? '') !== '') return undefined;
  const bare = command.replaceAll(/\s+/g, ' ').trim();
  const rsync = /^(?:\S*\/)?rsync\b/.test(bare);
  const copy = /^(?:\S*\/)?(?:cp|scp|aws s3 cp|gsutil cp|mc cp)\b/.test(bare);
  const guarded =
    /\btest ! -[ef]|\[ ! -[ef]|\bcp (?:\S+ )*(?:-n|--no-clobber|--update=none-fail)\b|\bln\b/.test(bare);
  const nothing = /^(?:\/bin\/)?(?:true|:|exit 0)$/.test(bare);
  if (!nothing && !rsync && (!copy || guarded)) return undefined;
  return {
    subject: 'setting archive_command',
    what: nothing
      ? 'It does nothing and reports success.'
      : `It runs ${rsync ? 'rsync' : bare.split(' ')[0]} without asking whether the file is there already.`,
    effect: nothing
      ? 'Every segment is recycled without having been kept: there is no way back to any moment.'
      : `A segment of the same name and other content (a restored copy of this server writes them) replaces the archived one, with success.${rsync ? ' Where size and time are alike nothing is copied, with success too.' : ''} Nothing is flushed to the disk before success is reported.`,
    mend: [],
    advice:
      'Use pgBackRest or the like; or a script that copies to another name, flushes file and folder, and links without replacing: the same content again is success, other content is a failure.',
  };
}

/** What is wrong with when segments are shipped. */
export function shipsLate({ mode, timeoutSeconds }: Archiving): Draft | undefined {
  if (mode === 'off' || timeoutSeconds > 0) return undefined;
  return {
    subject: 'setting archive_timeout',
    what: 'It is 0.',
    effect:
      'A segment is shipped when its 16 MB are full: a quiet server ships nothing for hours, and that much is lost with it.',
    mend: [],
    advice:
      "ALTER SYSTEM SET archive_timeout = '5min' and reload: at most the time that may be lost. Measure the age of the newest archived segment.",
  };
}

export const archiveCommandOverwrites: TrapCheck = {
  code: 'HT320',
  name: 'archive-command-overwrites',
  title: 'The archive command overwrites or skips segments and reports success',
  severity: 'error',
  traps: ['B0-12'],
  find: async ({ query }) => {
    const [archiving] = await query<Archiving>(ARCHIVING_SQL);
    if (archiving === undefined) return [];
    return [overwrites(archiving) ?? []].flat();
  },
  page: {
    what: "`archive_command = 'rsync -a %p /archive/%f'` or a bare `cp`.",
    effect:
      'PostgreSQL asks that an archive command refuses to overwrite. rsync and cp replace a segment of the same name and end with 0; rsync skips one of equal size and time and ends with 0. Neither flushes the file.',
    mend: 'A tool that archives (pgBackRest, WAL-G), or a script: copy to a temporary name, fsync, link without overwriting, fsync the folder.',
  },
};

export const archiveShipsLate: TrapCheck = {
  code: 'HT321',
  name: 'archive-ships-late',
  title: 'A quiet server keeps its last segment to itself',
  severity: 'warning',
  traps: ['B2-08'],
  find: async ({ query }) => {
    const [archiving] = await query<Archiving>(ARCHIVING_SQL);
    return archiving === undefined ? [] : [shipsLate(archiving) ?? []].flat();
  },
  page: {
    what: '`archive_mode = on` and `archive_timeout = 0`, the default.',
    effect:
      'A segment is archived when it is full. "Recovery point 5 minutes" needs archive_timeout: without it an idle server never ships its last segment.',
    mend: "`ALTER SYSTEM SET archive_timeout = '5min'`, reload, and an alert on the age of `pg_stat_archiver.last_archived_time`.",
  },
};
