// ValidaHub as it is built has no trap above information, whether Holdfast is told its boundaries or guesses them.
import { expect } from 'vitest';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { test } from './installed.ts';

test('no trap above information, by what the definition says and by what is guessed', async ({
  db,
  installed,
}) => {
  const { model, traits } = installed.definition;
  const proved = traits.flatMap((trait) => trait.proves?.(model) ?? []);
  const said = {
    boundaries: proved.flatMap(({ boundaries = [] }) => boundaries),
    accepted: proved.flatMap(({ accepted = [] }) => accepted),
  };
  for (const told of [said, { roles: [installed.roles.app, installed.roles.analytics] }]) {
    const { findings, unseen } = await findTraps({ url: db.url, now: new Date(), ...told });
    expect(unseen).toEqual([]);
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  }
});
