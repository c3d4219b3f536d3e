// Ends every maintenance session of this process at one of its statements, as if the process were gone.
import type { Socket } from 'node:net';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';

/** Where everything ends, and how. */
export interface Deadly {
  /** The statement at which everything ends; none: count only. */
  readonly at?: number;
  /** Counted from when this gives true; default: from the first. */
  readonly since?: () => boolean;
  /** Counted from the first statement that it fits. */
  readonly from?: RegExp;
  readonly how?: 'before' | 'within' | 'after';
}

function own(client: Client): boolean {
  const { connectionParameters } = client as unknown as {
    connectionParameters: { application_name?: string };
  };
  return String(connectionParameters.application_name).startsWith('holdfast');
}

function cut(client: Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}

/** Counts the statements of maintenance sessions, and ends them all at one of them, as if their process were gone. */
export function deadly(by: Deadly): { readonly statements: () => number; readonly disarm: () => void } {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its client
  const query = Client.prototype.query as (...args: unknown[]) => unknown;
  let [statements, dead, begun] = [0, false, by.from === undefined];
  Client.prototype.query = function counted(this: Client, ...args: unknown[]) {
    if (!own(this)) return query.apply(this, args);
    if (dead) {
      cut(this);
      return Promise.reject(new Error('this process is gone'));
    }
    begun ||= by.from?.test(String(args[0])) === true;
    if (!begun || by.since?.() === false) return query.apply(this, args);
    statements += 1;
    if (statements !== by.at) return query.apply(this, args);
    dead = true;
    if (by.how === 'before') {
      cut(this);
      return Promise.reject(new Error('this process is gone'));
    }
    const sent = query.apply(this, args) as Promise<unknown>;
    if (by.how === 'within') setImmediate(cut, this);
    return by.how === 'within' ? sent : sent.then(() => Promise.reject(new Error('this process is gone')));
  } as typeof Client.prototype.query;
  const disarm = (): void => void (Client.prototype.query = query as typeof Client.prototype.query);
  onTestFinished(disarm);
  return { statements: () => statements, disarm };
}
