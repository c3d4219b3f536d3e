// What every trait keeps, whoever wrote it: the folder's shape, pure builds, any order, a second plan with nothing in it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { globSync } from 'tinyglobby';
import { describe, expect, test as plain } from 'vitest';
import { apply, plan } from '../../src/build/index.ts';
import { database } from '../../src/define/index.ts';
import type { Trait } from '../../src/define/trait.ts';
import * as traits from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { examples, tables } from './examples.ts';

const SRC = resolve(import.meta.dirname, '../../src');
const FOLDERS = readdirSync(join(SRC, 'traits'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const NOW = new Date('2026-11-21T12:00:00Z');

function frozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) frozen(inner);
  }
  return value;
}

function byText(list: readonly unknown[]): string[] {
  return list.map((one) => JSON.stringify(one)).sort();
}

/** The model these traits give, lists that are sets sorted: only what order must not decide is left. */
function built(list: readonly Trait[]): unknown {
  const { model } = database('conform', { tables, traits: list });
  return {
    ...model,
    roles: byText(model.roles),
    statements: byText(model.statements),
    views: byText(model.views),
  };
}

/** Some promise what is there already: how fast it is, what can be erased of it. */
function builds(list: readonly Trait[]): boolean {
  return list.some((trait) => trait.build !== undefined);
}

describe.each(FOLDERS)('trait %s', (name) => {
  const own: readonly Trait[] = examples((prefix) => `conform_${prefix}`)[name] ?? [];
  const { plain: model } = database('conform', { tables });

  plain(
    'its folder exports a function of its name, and an example stands in test/traits/examples.ts',
    async () => {
      const folder = (await import(join(SRC, 'traits', name, 'index.ts'))) as Record<string, unknown>;
      expect(folder[name]).toBeTypeOf('function');
      expect((traits as Record<string, unknown>)[name]).toBe(folder[name]);
      expect(own.length).toBeGreaterThan(0);
      expect(readdirSync(join(SRC, 'traits', name))).toEqual(
        expect.arrayContaining(builds(own) ? ['build.ts', 'index.ts'] : ['index.ts']),
      );
      expect(new Set(own.map((trait) => trait.name))).toEqual(new Set([name]));
      expect(own.flatMap((trait) => trait.check?.(model) ?? [])).toEqual([]);
    },
  );

  plain('its build is pure, and building twice is building once', () => {
    const before = JSON.stringify(model);
    frozen(model);
    const once = own.reduce((so, trait) => trait.build?.(so) ?? so, model);
    expect(JSON.stringify(model)).toBe(before);
    expect(own.reduce((so, trait) => trait.build?.(so) ?? so, model)).toEqual(once);
    expect(own.reduce((so, trait) => trait.build?.(frozen(so)) ?? so, once)).toEqual(once);
    expect(isDeepStrictEqual(once, model)).toBe(!builds(own));
  });
});

plain('the order in which traits are listed does not matter', () => {
  const all = Object.values(examples((prefix) => `conform_${prefix}`)).flat();
  const wanted = built(all);
  expect(built([...all].reverse())).toEqual(wanted);
  for (let at = 1; at < all.length; at += 1)
    expect(built([...all.slice(at), ...all.slice(0, at)])).toEqual(wanted);
});

plain('no engine imports a trait or asks for one by name', () => {
  const name = `['"](?:${FOLDERS.join('|')})['"]`;
  const asked = new RegExp(
    String.raw`(?:[!=]==?|case|includes\(|has\(|get\()\s*${name}|${name}\s*[!=]==?|from '[^']*traits/`,
    'g',
  );
  const offences: string[] = [];
  for (const file of globSync('{define,build,keep,watch,use,server,ledger}/**/*.ts', { cwd: SRC })) {
    const code = readFileSync(join(SRC, file), 'utf8').replaceAll(/\/\*[^]*?\*\/|(^|\s)\/\/.*$/gm, '');
    offences.push(...[...code.matchAll(asked)].map(([found]) => `${file}: ${found}`));
  }
  expect("if (trait.name === 'tenancy')").toMatch(asked);
  expect(offences).toEqual([]);
});

test('every trait at once: planned, applied, and the second plan is empty', async ({ db }) => {
  const names = new Map<string, string>();
  const role = (prefix: string): string => {
    const known = names.get(prefix) ?? db.role(prefix);
    names.set(prefix, known);
    return known;
  };
  const definition = database('conform', { tables, traits: Object.values(examples(role)).flat() });
  await applied(db, definition);
  const second = await plan(definition, db.url, { now: NOW });
  expect(second.steps.map((step) => step.sql)).toEqual([]);
  const month = await plan(definition, db.url, { now: new Date('2026-12-02T00:00:00Z') });
  expect(month.steps.map((step) => step.subject)).toEqual([
    'partition conform.events_y2027m03 of conform.events',
  ]);
  expect(
    await db.query(`SELECT relispopulated AS filled FROM pg_class WHERE oid = 'conform.totals'::regclass`),
  ).toEqual([{ filled: true }]);
});

async function applied(db: TestDatabase, definition: ReturnType<typeof database>): Promise<void> {
  await apply(await plan(definition, db.url, { now: NOW }), db.url);
}
