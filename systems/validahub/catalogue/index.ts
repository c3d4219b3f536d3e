// Catalogues as files: reading, naming columns, writing back.

export { checkDigit, GTIN_LENGTHS, isGtin } from './barcode.ts';
export { columnsOf, foldName, mappingErrors, suggestMapping, type MappingSuggestion } from './mapping.ts';
export {
  CANONICAL_FIELDS,
  type CanonicalField,
  type CatalogueRow,
  type Column,
  type Dialect,
  type Mapping,
  type RowIssue,
} from './row.ts';
