// A TCP relay that holds every packet back for a while, each way: a network with a known round trip. It runs in a
// thread of its own and spins while a packet waits, because timers are not finer than a millisecond; the processes
// it stands between are waiting for that packet then, so the spinning takes nothing from them.
import { connect, createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { host, port, delayMs } = workerData;
const waiting = [];
let spinning = false;

function deliver() {
  const now = performance.now();
  while (waiting.length > 0 && waiting[0].due <= now) {
    const { to, chunk } = waiting.shift();
    if (!to.destroyed) to.write(chunk);
  }
  spinning = waiting.length > 0;
  if (spinning) setImmediate(deliver);
}

function relay(from, to) {
  from.setNoDelay(true);
  from.on('error', () => to.destroy());
  from.on('close', () => to.end());
  from.on('data', (chunk) => {
    waiting.push({ due: performance.now() + delayMs, to, chunk });
    if (!spinning) {
      spinning = true;
      setImmediate(deliver);
    }
  });
}

const server = createServer((client) => {
  const upstream = connect(port, host);
  relay(client, upstream);
  relay(upstream, client);
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a thread, not a window
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
