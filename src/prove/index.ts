// Public surface of holdfast/prove: a replay of years against a real server.
export { lapse, lapseDefaults, type LapseOptions } from './lapse/lapse.ts';
export type { Failure } from './lapse/replay.ts';
export { brokenLines, jobRows, relationRows, verdict, type JobFigures, type Lapse } from './lapse/report.ts';
export type { Figures } from './lapse/standing.ts';
export { timeline, type Life, type Mark, type Picture, type Track } from './lapse/timeline.ts';
export type { Slice, Traffic, TrafficContext, Written } from './lapse/traffic.ts';
export { variantOf, variants, type Variant } from './lapse/variants.ts';
