// Synthetic rows for several owners, made from a catalogue alone.
export type { PopulateOptions, Population, Row, World } from './population.ts';
