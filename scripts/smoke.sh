#!/usr/bin/env bash
# Installs the packed package in an empty folder, as a user would, and runs its command line there.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=$(mktemp -d "${TMPDIR:-/tmp}/holdfast smoke XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"

tarball=$(npm pack --silent --pack-destination "$folder" | tail -n 1)
cd "$folder"
cat > package.json <<'JSON'
{ "name": "smoke", "private": true, "type": "module" }
JSON
drizzle=$(node -p "require('$root/package.json').devDependencies['drizzle-orm']")
npm install --silent --no-audit --no-fund "./$tarball" "drizzle-orm@$drizzle"
cat > holdfast.ts <<'TS'
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { database } from 'holdfast';

const notes = pgTable('notes', { id: integer().primaryKey(), body: text().notNull() });

export default database('smoke', { tables: { notes } });
TS

version=$(npx --no-install holdfast --version)
expected=$(node -p "require('$root/package.json').version")
[ "$version" = "$expected" ] || { echo "holdfast --version said $version, not $expected"; exit 1; }
npx --no-install holdfast plan
npx --no-install holdfast plan --json | node -e '
  const plan = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  if (!plan.steps.some((step) => step.subject === "table public.notes")) throw new Error("no step makes public.notes");
'
npx --no-install holdfast apply
npx --no-install holdfast status
echo "smoke: holdfast $version planned, applied and reported from its tarball"
