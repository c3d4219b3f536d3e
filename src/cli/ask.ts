// A question to whoever sits at the terminal.
import { createInterface } from 'node:readline/promises';
import type { Invocation } from './command.ts';

/**
 * Asks a question that is answered with yes or no; anything but `y` and `yes` is no.
 * @returns `cannot ask` where no person can answer: the input is no terminal
 */
export async function asked(invocation: Invocation, question: string): Promise<boolean | 'cannot ask'> {
  if (!process.stdin.isTTY) return 'cannot ask';
  const lines = createInterface({ input: process.stdin, output: invocation.terminal.err });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: invocation.signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
