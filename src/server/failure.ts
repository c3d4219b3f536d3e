// What a server, initdb or the file system said when it would not start, turned into an error a person can act on.
import { HoldfastError } from '../error.ts';
import type { ErrorParts } from '../error.ts';

type Reading = readonly [RegExp, Pick<ErrorParts, 'code' | 'what' | 'fix'>];

const READINGS: readonly Reading[] = [
  [
    /No space left on device|Check free disk space|ENOSPC|Disk quota exceeded|EDQUOT/,
    {
      code: 'HF_DISK_FULL',
      what: 'the disk is full.',
      fix: 'Free some room (a new server needs 60 MB), then start again; nothing that was committed is lost.',
    },
  ],
  [
    /could not map anonymous shared memory|could not create shared memory segment|Cannot allocate memory/,
    {
      code: 'HF_SERVER_MEMORY',
      what: 'this machine does not give the server the shared memory it asks for (shared_buffers).',
      fix: 'Free memory or raise the limit of the container, or give a smaller shared_buffers in settings.',
    },
  ],
  [
    /could not bind IPv4 address|could not create any TCP\/IP sockets|EADDRINUSE/,
    {
      code: 'HF_PORT_IN_USE',
      what: 'another process listens on its port.',
      fix: 'End that process or give another port.',
    },
  ],
  [
    /EROFS|Read-only file system/,
    {
      code: 'HF_EMBEDDED_FOLDER',
      what: 'the file system is read-only.',
      fix: 'Name a folder that can be written to.',
    },
  ],
  [
    // initdb asks the system for the name of the account it runs under.
    /could not look up effective user ID/,
    {
      code: 'HF_SERVER_USER',
      what: 'PostgreSQL runs only under an account that has a name, and the number of this one is in no user list.',
      fix: 'Run as an account of /etc/passwd; in a container with a user number of its own, add a line for it there.',
    },
  ],
  [
    /ENOTDIR|EEXIST/,
    {
      code: 'HF_EMBEDDED_FOLDER',
      what: 'a file stands where a folder is needed.',
      fix: 'Move the file away or name another folder.',
    },
  ],
  [
    /EACCES|EPERM|Permission denied/,
    {
      code: 'HF_EMBEDDED_FOLDER',
      what: 'the account has no right to write there.',
      fix: 'Name a folder that can be written to, or give the right.',
    },
  ],
];

/**
 * The error for a server that did not start.
 * @param subject what it is about, as `folder /path`
 * @param said what the program printed, or the message of the operating system
 */
export function serverFailure(subject: string, said: string, cause?: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const reading = READINGS.find(([pattern]) => pattern.test(said));
  if (reading !== undefined) return new HoldfastError({ ...reading[1], subject, cause });
  return new HoldfastError({
    code: 'HF_EMBEDDED_START',
    subject,
    what: `PostgreSQL did not start: ${lastWords(said)}.`,
    fix: 'Read postgres.log in the folder of the server.',
    cause,
  });
}

// The last line with a severity says why; but of a wrong setting the FATAL line only names the file.
const SETTING = /invalid value for parameter|unrecognized configuration parameter|syntax error in file/;
const SEVERITY = /^.*?\b(?:PANIC|FATAL|ERROR|error|LOG):\s*/;

function lastWords(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  const line =
    lines.find((line) => SETTING.test(line)) ??
    lines.findLast((line) => /\b(PANIC|FATAL|ERROR|error):/.test(line)) ??
    lines.findLast((line) => line !== '');
  return (line ?? 'it said nothing').replace(SEVERITY, '').replace(/\.$/, '');
}
