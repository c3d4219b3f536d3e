// Where one owner's rows end and another's begin, and which roles must not cross: read from a catalogue alone.
import type { CatalogueQuery } from '../../define/trait.ts';
import { readCatalogue } from './catalogue.ts';
import { settingsRead as read, type SettingRead } from './comparisons.ts';

export { spokenName, textWith, valueIn } from './claims.ts';
export { drawnBy, type Drawn } from './drawn.ts';
export { guessBoundaries, OWNER_COLUMNS, type BoundaryHints, type Guess } from './guess.ts';
export { applicationRoles, loginsBehind, type ApplicationRole } from './roles.ts';
export type { SettingRead } from './comparisons.ts';

/** Every setting that policies, guarded views and the functions they call read, with who reads it. Reads only. */
export async function settingsRead(query: CatalogueQuery): Promise<readonly SettingRead[]> {
  return read(await readCatalogue(query));
}
