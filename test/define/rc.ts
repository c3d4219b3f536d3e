// The same source and the same schema with drizzle-orm 1.0 in the place of 0.x, beside it in one process.
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import type * as LowerModule from '../../src/build/lower.ts';
import type * as DefineModule from '../../src/define/index.ts';

export interface WithRc {
  readonly define: typeof DefineModule;
  readonly lower: typeof LowerModule;
  /** Loads another module of the tests under Drizzle 1.0. */
  readonly load: <T>(path: string) => Promise<T>;
}

/** Loads `src/define` and `src/build/lower.ts` with every `drizzle-orm` in them replaced by the release candidate. */
export async function withRc(): Promise<WithRc> {
  const drizzle = fileURLToPath(new URL('../../node_modules/drizzle-orm-rc', import.meta.url));
  const jiti = createJiti(import.meta.url, {
    alias: { 'drizzle-orm': drizzle },
    moduleCache: true,
    tryNative: false,
  });
  return {
    define: await jiti.import('../../src/define/index.ts'),
    lower: await jiti.import('../../src/build/lower.ts'),
    load: (path) => jiti.import(path),
  };
}
