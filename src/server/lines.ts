// Lines of text on a stream. readline is no help here: it hands a stream's error on as its own, and one that nobody
// listens to ends the process.
import type { Readable } from 'node:stream';

// Nothing these processes say to each other is longer.
const LINE_MAX = 64 * 1024;

/**
 * Calls `hear` with every whole line of a stream. A line that is too long, or one that `hear` throws at, destroys the
 * stream; an error of the stream is left to its `close`.
 */
export function onLines(stream: Readable, hear: (line: string) => void): void {
  let held = '';
  stream.on('error', () => stream.destroy());
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    held += chunk;
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    try {
      if (held.length > LINE_MAX) throw new RangeError('line too long');
      lines.forEach(hear);
    } catch {
      stream.destroy();
    }
  });
}
