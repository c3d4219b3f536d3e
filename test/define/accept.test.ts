import { expect, test } from 'vitest';
import { database, DefinitionError } from '../../src/define/index.ts';
import type { Trait } from '../../src/define/index.ts';

test('what a definition accepts stands among its proofs, beside what its traits accept', () => {
  const trait: Trait = {
    name: 'own',
    proves: () => ({ accepted: [{ code: 'HT601', because: 'of the trait' }] }),
  };
  const accept = [{ code: 'HT705', subject: 'index a on b.c', because: 'the system role searches by it' }];
  const { proofs } = database('shop', { traits: [trait], accept });
  expect(proofs.accepted).toEqual([{ code: 'HT601', because: 'of the trait' }, ...accept]);
});

test('a finding is accepted by its code and with a reason', () => {
  const accept = [
    { code: 'BX-06', because: 'so' },
    { code: 'HT101', because: ' ' },
    { code: 'isolation', because: 'the administrators’ own function' },
  ];
  let said: unknown;
  try {
    database('shop', { accept });
  } catch (error) {
    said = error;
  }
  expect(said).toBeInstanceOf(DefinitionError);
  expect((said as DefinitionError).diagnostics.map(({ subject, what }) => `${subject}: ${what}`)).toEqual([
    'accept BX-06: findings have codes like HT705.',
    'accept HT101: it gives no reason, and whoever reads the finding needs one.',
  ]);
});
