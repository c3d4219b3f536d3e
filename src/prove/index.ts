// Public surface of holdfast/prove: a replay of years against a real server.
export type { Slice, Traffic, TrafficContext, Written } from './lapse/traffic.ts';
