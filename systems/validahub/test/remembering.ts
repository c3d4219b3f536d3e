// A process that remembers rules of tenants and says what it would give out: one line in, one line out.
import { createInterface } from 'node:readline';
import { HoldfastError } from 'holdfast';
import { connect } from 'holdfast/use';
import { defineValidahub, type RoleNames } from '../define.ts';
import { forgetErased, openHub, ruleLookup } from '../operations/index.ts';

const [url = '', roles = ''] = process.argv.slice(2);
const connected = await connect(defineValidahub(JSON.parse(roles) as RoleNames), url);
const hub = openHub(connected);
const ear = await forgetErased(hub, url);
process.stdout.write('ready\n');
for await (const tenant of createInterface({ input: process.stdin })) {
  const said = await ruleLookup(hub, { tenant, channel: 'custom' }).then(
    ({ version }) => version,
    (error: unknown) => (error instanceof HoldfastError ? error.code : String(error)),
  );
  process.stdout.write(`${said}\n`);
}
await ear.close();
await connected.close();
