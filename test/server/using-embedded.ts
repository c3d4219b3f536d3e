// Run by another-process.ts: asks for the server, says in one line what it got, and stays until it is killed.
import { HoldfastError } from '../../src/error.ts';
import { embedded } from '../../src/server/index.ts';

try {
  const server = await embedded(JSON.parse(process.argv[2] ?? '{}') as Parameters<typeof embedded>[0]);
  process.stdout.write(`${JSON.stringify(server)}\n`);
  process.stdin.resume();
} catch (error) {
  const code = error instanceof HoldfastError ? error.code : String(error);
  process.stdout.write(`${JSON.stringify({ code })}\n`);
}
