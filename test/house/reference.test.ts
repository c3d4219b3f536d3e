// Generated pages are what the source would generate now.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { pages } from '../../scripts/reference.ts';

test.each(Object.entries(pages()))(
  'docs/reference/%s is fresh (npm run reference writes it)',
  (name, text) => {
    expect(readFileSync(join(resolve(import.meta.dirname, '../../docs/reference'), name), 'utf8')).toBe(text);
  },
);
