// Makes a scratch database and a rehearsal role, says so, and waits to be killed.
import { createJiti } from 'jiti';

const jiti = createJiti(import.meta.url);
const { withScratch } = await jiti.import('../../src/build/scratch.ts');
const [url, role] = process.argv.slice(2);
await withScratch({ url }, async (server) => {
  const scratch = await server.make();
  await server.ensureRoles([role]);
  process.send(scratch.name);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
