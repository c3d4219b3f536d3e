// The page as Prometheus reads it: its families are frozen, its text is clean, and every trait keeps to the rules.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test as plain } from 'vitest';
import { apply, plan } from '../../src/build/index.ts';
import { aboutAlert, aboutMetric, engineWords, grant } from '../../src/define/index.ts';
import { collect, engineFamilies, families, rulesOf, text } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { everyTrait, rolesOf } from './every-trait.ts';
import { guideGrants } from './guide.ts';
import { promtool, run } from './promtool.ts';
import { NOW, sized, sizes, watched, watching } from './stage.ts';

const GOLDEN = join(import.meta.dirname, 'metrics.golden');

plain('names, types, labels and help are the frozen ones (HOLDFAST_GOLDEN=write writes them anew)', () => {
  const now = families(everyTrait())
    .map(({ name, type, labels, help }) => `${name} ${type} (${labels.join(', ')})\n  ${help}\n`)
    .join('');
  if (process.env['HOLDFAST_GOLDEN'] === 'write') writeFileSync(GOLDEN, now);
  expect(now).toBe(readFileSync(GOLDEN, 'utf8'));
});

describe('every family and rule, the engine’s and each trait’s', () => {
  plain('keeps to the rules for names, units, labels and cases', () => {
    expect(families(everyTrait()).flatMap(aboutMetric)).toEqual([]);
    expect(rulesOf(everyTrait()).flatMap(aboutAlert)).toEqual([]);
    const names = [...families(everyTrait()), ...rulesOf(everyTrait())].map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  plain('the engine’s begin with a word no trait may use', () => {
    const words = new Set(engineFamilies.map(({ name }) => name.split('_')[1]));
    expect([...words].sort()).toEqual([...engineWords].sort());
  });

  plain('each rule stands on a family that is there', () => {
    const known = families(everyTrait()).map(({ name }) => name);
    for (const { name, expr } of rulesOf(everyTrait())) {
      const asked = [...expr.matchAll(/\bholdfast_[a-z0-9_]+/g)].map(
        ([found]) => found as (typeof known)[number],
      );
      expect(asked, name).not.toEqual([]);
      expect(known, name).toEqual(expect.arrayContaining(asked));
    }
  });
});

test('a database with every trait: all is measured as the monitoring role, and the page is clean', async ({
  db,
}) => {
  const watch = db.role('watch');
  await db.query(`CREATE ROLE ${watch} LOGIN PASSWORD 'for-the-test-only'`);
  const definition = everyTrait(rolesOf(db), [
    grant(['usage'], { on: 'SCHEMA conform', to: watch }),
    grant(['select'], { on: 'TABLE conform.rollup_state', to: watch }),
  ]);
  await apply(await plan(definition, db.url, { now: NOW }), db.url);
  for (const statement of guideGrants(watch)) await db.query(statement);
  const found = await collect(definition, db.urlAs(watch, 'for-the-test-only'), { now: NOW });
  expect(found.notes).toEqual([]);
  for (const { watched: face, samples } of found.parts) {
    const [name] = new Set(face.metrics.map((metric) => metric.name));
    expect(samples.length, name).toBeGreaterThan(0);
    for (const line of face.card?.(samples, NOW) ?? []) {
      expect(line).toEqual({
        topic: expect.stringMatching(/^[a-z]+$/) as string,
        subject: expect.stringMatching(/./) as string,
        text: expect.stringMatching(/^[^\n]+$/) as string,
        late: expect.any(Boolean) as boolean,
      });
    }
  }
  if (!promtool.there) return;
  expect(run(['check', 'metrics'], await text(families(definition), found))).toEqual({ code: 0, says: '' });
});

describe('the page', () => {
  test('escapes labels, keeps the order of families, and has no series of what was not measured', async ({
    db,
  }) => {
    const strange = 'a"b\\c\nd{},é😀';
    const nothing = watching('nothing', { metrics: [{ ...sizes, name: 'holdfast_nothing' }] });
    const definition = watched(sized(strange, 2.5), nothing);
    const page = await text(families(definition), await collect(definition, db.url, { now: NOW }));
    expect(page).toContain('holdfast_sizes_bytes{relation="a\\"b\\\\c\\nd{},é😀"} 2.5\n');
    expect(page).not.toContain('holdfast_nothing');
    const order = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    const wanted = families(definition).map(({ name }): string => name);
    expect(order).toEqual(wanted.filter((name) => order.includes(name)));
    if (promtool.there) expect(run(['check', 'metrics'], page)).toEqual({ code: 0, says: '' });
  });

  plain.skipIf(!promtool.there)(
    `promtool finds fault with a wrong one${promtool.there ? '' : ` (${promtool.missing})`}`,
    () => {
      const { code, says } = run(['check', 'metrics'], '# TYPE a_total gauge\na_total 1\n');
      expect(code).not.toBe(0);
      expect(says).toContain('a_total');
    },
  );
});
