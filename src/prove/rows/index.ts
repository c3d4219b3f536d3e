// Synthetic rows for several owners, made from a catalogue alone.
export { populate, populateDefaults } from './populate.ts';
export type { PopulateOptions, Population, Row, World } from './population.ts';
