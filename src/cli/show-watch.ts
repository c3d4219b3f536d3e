// What is measured of a database, for people: the lines of `holdfast status` below ledger and drift.
import type { CardLine } from '../define/measure.ts';
import { columns, paint, say, type Terminal } from './output.ts';

// As wide as the other topics of `status` are.
const TOPIC_WIDTH = 8;

/** Prints one line each, the topic once; what is not as promised is marked in words and, on a terminal, in colour. */
export function showWatch(terminal: Terminal, lines: readonly CardLine[]): void {
  const rows = lines.map((line, at) => [
    (lines[at - 1]?.topic === line.topic ? '' : line.topic).padEnd(TOPIC_WIDTH),
    line.subject,
    line.late ? `LATE: ${line.text}` : line.text,
  ]);
  columns(rows).forEach((text, at) => {
    say(terminal, lines[at]?.late === true ? paint(terminal, 'yellow', text) : text);
  });
}
