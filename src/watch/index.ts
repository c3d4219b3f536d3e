// What `holdfast/watch` gives: measuring a database, serving that to Prometheus, and the rules that say when it is wrong.
export { collect, collectDefaults } from './collect.ts';
export type { Collection, CollectOptions, Note } from './collect.ts';
export { lateAfterSeconds } from './engine-rules.ts';
export { engineFamilies, families } from './families.ts';
export { contentType, text } from './text.ts';
export { alertRules, alertTests, rulesOf } from './rules.ts';
export { serve, serveDefaults } from './serve.ts';
export type { ServeOptions, Serving } from './serve.ts';
export { card } from './card.ts';
export { slowDefaults, slowStatements } from './statements.ts';
export type { SlowOptions, SlowStatement, SlowStatements } from './statements.ts';
