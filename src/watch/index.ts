// What `holdfast/watch` gives: measuring a database, serving that to Prometheus, and the rules that say when it is wrong.
export { collect, collectDefaults } from './collect.ts';
export type { Collection, CollectOptions, Note } from './collect.ts';
export { engineFamilies, families } from './families.ts';
export { contentType, text } from './text.ts';
