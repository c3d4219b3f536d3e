// Catalogues as files: reading, naming columns, correcting, writing back.

export { checkDigit, GTIN_LENGTHS, isGtin } from './barcode.ts';
export { categoryPaths, PATH_SEPARATOR } from './categories.ts';
export {
  columnsOf,
  foldName,
  mappingErrors,
  mappingFrom,
  suggestMapping,
  type MappingSuggestion,
} from './mapping.ts';
export { openCatalogue, type Catalogue, type OpenOptions } from './open.ts';
export { patchRows, type Patch, type PatchedRow } from './patch.ts';
export {
  CANONICAL_FIELDS,
  type CanonicalField,
  type CatalogueRow,
  type Column,
  type Dialect,
  type Mapping,
  type RowIssue,
} from './row.ts';
export { isFormula, writeCatalogue, type WriteOptions } from './write.ts';
